"""Waiting lists: a freed place is offered to one user at a time, in the order of joining."""

import asyncio
from datetime import timedelta

import pytest

from handlers.consulting.availability.contracts.waiting_lists import OfferDue
from handlers.consulting.availability.service import lists
from storage.consulting.availability.waiting_lists import list_offered
from tests.consulting.availability.practice import (
    assert_refused,
    daily,
    follow,
    moment_of,
    open_practice,
)
from tests.consulting.waiting_room.scenes import ask_before_commit
from tests.world import both_databases, with_server

NAMESPACE = "/availability"
OFFERED, EXPIRED = "WAITING_LIST_OFFERED", "WAITING_LIST_OFFER_EXPIRED"
OFFER_S = 900


async def full_practice(world, *waiting):
    """A practice whose block 0 is booked by Sam, and the users on its waiting list, in order."""
    practice = await open_practice(world)
    sam = await world.person("sam")
    booking = await practice.booked(sam)
    people = [await world.person(name) for name in waiting]
    for number, person in enumerate(people):
        assert await practice.join_list(person) == number + 1
    return practice, sam, booking, people


async def cancel(student, booking):
    return await student.call("/booking", "cancel", booking_id=booking["id"])


async def test_a_freed_place_is_offered_only_to_the_first_on_the_waiting_list(world):
    practice, sam, booking, (ada, ben) = await full_practice(world, "ada", "ben")
    watcher = await follow(practice)
    await cancel(sam, booking)
    offer = await ada.event(OFFERED)
    assert set(offer.data) == {"block", "expires_at"}
    assert offer.data["block"] == await practice.block()
    assert (offer.namespace, offer.meta["room"]) == (NAMESPACE, f"user:{ada.id}")
    left = moment_of(offer.data["expires_at"]) - moment_of(offer.meta["at"])
    assert left == timedelta(minutes=15)
    block = await practice.block()
    assert (block["taken"], block["status"]) == (1, "full"), "an offer counts as a hold"
    for other in (ben, sam):
        await assert_refused(practice.ask(other), "BLOCK_FULL")
        assert other.events(OFFERED) == []
    assert watcher.client.events(OFFERED) == []
    requested = await practice.ask(ada)
    assert requested["status"] == "requested"
    assert (await practice.block())["taken"] == 1, "the offer became the booking's hold"
    await assert_refused(practice.leave_list(ada), "NOT_FOUND")
    world.clock.advance(OFFER_S + 1)
    await world.settle()
    assert (ada.events(EXPIRED), ben.events(OFFERED)) == ([], [])
    assert (await ada.call("/booking", "get", booking_id=requested["id"]))["status"] == "requested"
    await watcher.assert_in_sync()


async def test_an_expired_offer_goes_to_the_next_user_and_then_frees_the_place(world):
    practice, sam, booking, (ada, ben) = await full_practice(world, "ada", "ben")
    watcher = await follow(practice)
    await cancel(sam, booking)
    first = await ada.event(OFFERED)
    world.clock.advance(OFFER_S - 30)
    await world.settle()
    assert ben.events(OFFERED) == []
    world.clock.advance(31)
    await world.settle()
    expired = await ada.event(EXPIRED)
    assert expired.data == {"block": await practice.block(), **expiry_of(first)}
    assert expired.data["block"]["status"] == "full", "it is ben's now"
    assert (await ben.event(OFFERED)).data["block"] == await practice.block()
    await assert_refused(practice.ask(ada), "BLOCK_FULL")
    await watcher.assert_in_sync()
    world.clock.advance(OFFER_S + 1)
    await world.settle()
    await ben.event(EXPIRED)
    freed = await watcher.client.event("AVAILABILITY_BLOCK_AVAILABLE")
    assert freed.data == {"block": await practice.block()}
    assert (freed.data["block"]["taken"], freed.data["block"]["status"]) == (0, "available")
    assert [len(p.events(name)) for p in (ada, ben) for name in (OFFERED, EXPIRED)] == [1] * 4
    await assert_refused(practice.join_list(ada), "BLOCK_NOT_FULL")
    assert (await practice.ask(ada))["status"] == "requested"
    await watcher.assert_in_sync()


def expiry_of(offer):
    return {"expires_at": offer.data["expires_at"]}


async def test_leaving_or_declining_passes_the_place_to_the_next_user(world):
    practice, sam, booking, people = await full_practice(world, "ada", "ben", "cem", "dan")
    ada, ben, cem, dan = people
    assert await practice.join_list(cem) == 3, "joining again keeps the position"
    await practice.leave_list(ben)
    assert await practice.join_list(dan) == 3
    await cancel(sam, booking)
    await ada.event(OFFERED)
    await practice.leave_list(ada)
    await cem.event(OFFERED)
    assert ben.events(OFFERED) == []
    assert ada.events(EXPIRED) == [], "who declined needs no telling"
    await assert_refused(practice.ask(ada), "BLOCK_FULL")
    await practice.leave_list(cem)
    await dan.event(OFFERED)
    await practice.leave_list(dan)
    assert (await practice.block())["status"] == "available"
    world.clock.advance(OFFER_S + 1)
    await world.settle()
    assert await world.stored(EXPIRED) == []


async def test_joining_the_waiting_list_of_an_unsuitable_block_is_refused(world):
    practice, sam, _, (ada,) = await full_practice(world, "ada")
    await assert_refused(practice.join_list(ada, 1), "BLOCK_NOT_FULL")
    await assert_refused(practice.join_list(practice.consultant), "OWN_BLOCK")
    await assert_refused(practice.join_list(sam), "ALREADY_HOLDS")
    await assert_refused(practice.leave_list(sam), "NOT_FOUND")
    week = daily(10, 14)
    await practice.consultant.call(
        NAMESPACE, "set_default_schedule", time_zone="UTC", blocks=week[:0]
    )
    await assert_refused(practice.join_list(ada, 1), "NOT_FOUND")
    world.clock.move_to(moment_of(practice.blocks[0]["ends_at"]))
    await assert_refused(practice.join_list(ada), "BLOCK_PAST")


async def test_every_way_of_freeing_a_place_creates_an_offer(world):
    practice = await open_practice(world)
    people = [await world.person(name) for name in ("ada", "ben", "cem", "dan")]
    sam, clara = await world.person("sam"), practice.consultant
    booking = await practice.ask(sam)
    for person in people:
        await practice.join_list(person)
    await clara.call("/booking", "reject", booking_id=booking["id"])
    await people[0].event(OFFERED)
    booking = await practice.ask(people[0])
    world.clock.advance(86_401)
    await world.settle()
    await people[1].event(OFFERED)
    booking = await practice.ask(people[1])
    other = practice.blocks[1]["id"]
    await people[1].call("/booking", "reschedule", booking_id=booking["id"], block_id=other)
    await people[2].event(OFFERED)
    await clara.call(
        NAMESPACE,
        "set_default_schedule",
        time_zone="UTC",
        blocks=daily(10, 14, max_calls=2),
    )
    offered = await people[3].event(OFFERED)
    assert offered.data["block"] == await practice.block()
    assert (offered.data["block"]["taken"], offered.data["block"]["max_calls"]) == (2, 2)


async def test_an_offer_expires_no_later_than_its_block_begins(world):
    practice, sam, booking, (ada, ben) = await full_practice(world, "ada", "ben")
    starts_at = moment_of(practice.blocks[0]["starts_at"])
    world.clock.move_to(starts_at - timedelta(minutes=5))
    await cancel(sam, booking)
    assert moment_of((await ada.event(OFFERED)).data["expires_at"]) == starts_at
    world.clock.advance(301)
    await world.settle()
    await ada.event(EXPIRED)
    assert ben.events(OFFERED) == []


async def test_withdrawing_a_block_expires_its_offers(world):
    practice, sam, booking, (ada, ben) = await full_practice(world, "ada", "ben")
    watcher = await follow(practice)
    await cancel(sam, booking)
    await ada.event(OFFERED)
    await practice.consultant.call(NAMESPACE, "set_default_schedule", time_zone="UTC", blocks=[])
    expired = await ada.event(EXPIRED)
    assert (expired.data["block"]["status"], expired.data["block"]["taken"]) == ("cancelled", 0)
    assert ben.events(OFFERED) == []
    await assert_refused(practice.ask(ada), "NOT_FOUND")
    await watcher.assert_in_sync()


async def test_the_order_of_the_waiting_list_is_kept_without_a_timer(world, monkeypatch):
    """The first request after an offer's expiry expires it, and does not overtake waiting users."""
    practice, sam, booking, (ada, ben) = await full_practice(world, "ada", "ben")
    await cancel(sam, booking)
    await ada.event(OFFERED)
    monkeypatch.setattr(world.app.timers, "fire", fire_nothing)
    world.clock.advance(OFFER_S + 1)
    await assert_refused(practice.ask(sam), "BLOCK_FULL")
    assert (await practice.ask(ben))["status"] == "requested"
    await ada.event(EXPIRED)


async def fire_nothing():
    return 0


async def test_joining_the_list_is_refused_when_only_an_expired_hold_fills_the_block(
    world, monkeypatch
):
    practice = await open_practice(world)
    sam, ada = [await world.person(name) for name in ("sam", "ada")]
    await practice.ask(sam)
    monkeypatch.setattr(world.app.timers, "fire", fire_nothing)
    world.clock.advance(86_401)
    await assert_refused(practice.join_list(ada), "BLOCK_NOT_FULL")
    assert (await practice.ask(ada))["status"] == "requested"
    assert len(await world.stored("BOOKING_EXPIRED")) == 1


@with_server
@pytest.mark.settings(PARLEY_OFFER_S="60")
async def test_an_offer_survives_a_restart_and_expires_after_it(world):
    practice, sam, booking, (ada, ben) = await full_practice(world, "ada", "ben")
    await cancel(sam, booking)
    await ada.event(OFFERED)
    await world.stop()
    world.clock.advance(61)
    await world.start(world.port)
    await world.settle()
    assert len(await world.stored(EXPIRED)) == 1
    new_session = await world.another_session(ben)
    offers = await world.stored(OFFERED)
    assert len(offers) == 2
    assert (await practice.ask(new_session))["status"] == "requested"


@both_databases
async def test_concurrent_leaves_joins_and_requests_never_overfill_a_block(world):
    practice, sam, booking, people = await full_practice(world, "ada", "ben", "cem", "dan")
    watcher = await follow(practice)
    ada, ben, cem, dan = people

    async def ignoring_errors(work):
        return (await asyncio.gather(work, return_exceptions=True))[0]

    for _ in range(3):
        await asyncio.gather(
            *(ignoring_errors(practice.leave_list(person)) for person in (ada, cem)),
            *(ignoring_errors(practice.ask(person)) for person in (ben, dan)),
            ignoring_errors(cancel(sam, booking)),
        )
        await asyncio.gather(*(ignoring_errors(practice.join_list(person)) for person in people))
    await world.settle()
    await watcher.assert_in_sync()
    assert (await practice.block())["taken"] <= 1


async def test_a_full_waiting_list_refuses_new_users(world, monkeypatch):
    monkeypatch.setattr(lists, "WAITING_MAX", 2)
    practice, _, _, (ada, ben) = await full_practice(world, "ada", "ben")
    cem = await world.person("cem")
    refusal = await assert_refused(practice.join_list(cem), "CONFLICT")
    assert refusal.details == {"most": 2}
    assert await practice.join_list(ben) == 2, "who is on it stays"
    await practice.leave_list(ada)
    assert await practice.join_list(cem) == 2


async def test_an_offer_whose_timer_fires_too_early_still_expires(world):
    practice, sam, booking, (ada, ben) = await full_practice(world, "ada", "ben")
    await cancel(sam, booking)
    await ada.event(OFFERED)
    await world.transact(fire_early, practice.blocks[0]["id"])
    await world.settle()
    assert ada.events(EXPIRED) == []
    world.clock.advance(OFFER_S + 1)
    await world.settle()
    await ada.event(EXPIRED)
    await ben.event(OFFERED)


def fire_early(tx, block_id):
    (row,) = list_offered(tx, block_id)
    tx.cancel_timer(f"offer:{row.offer_id}")
    tx.publish(OfferDue(block_id=block_id))


WITHDRAW = """WITH locked AS (UPDATE pools SET taken = taken WHERE id = $1)
UPDATE blocks SET cancelled = true WHERE id = $1"""


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_joining_the_list_of_a_block_that_is_being_withdrawn_is_refused(world, database_url):
    practice, *_ = await full_practice(world)
    ada = await world.person("ada")
    joining = practice.join_list(ada)
    block_id = practice.blocks[0]["id"]
    await assert_refused(ask_before_commit(database_url, WITHDRAW, block_id, joining), "NOT_FOUND")


async def waits(person):
    return (await person.call(NAMESPACE, "waits"))["waits"]


async def test_an_offer_skips_users_who_cannot_take_it(world):
    practice, sam, booking, people = await full_practice(world, "ada", "ben", "cem", "dora")
    ada, ben, cem, dora = people
    other = await open_practice(world, "otto")
    elsewhere = await other.booked(ada)
    await practice.consultant.call("/chat", "block", user_id=ben.id, on=True)
    await cem.call("/chat", "block", user_id=practice.consultant.id, on=True)
    await cancel(sam, booking)
    await dora.event(OFFERED)
    for person in (ada, ben, cem):
        assert person.events(OFFERED) == []
        assert [one["position"] for one in await waits(person)] != [], "they stay on the list"
    await practice.leave_list(dora)
    await cancel(ada, elsewhere)
    await world.settle()
    await ada.event(OFFERED)


@pytest.mark.parametrize("by_consultant", [True, False])
async def test_an_unblocked_user_gets_the_offer_that_was_skipped(world, by_consultant):
    practice, sam, booking, (ada,) = await full_practice(world, "ada")
    pair = (practice.consultant, ada) if by_consultant else (ada, practice.consultant)
    await block(*pair)
    await cancel(sam, booking)
    await world.settle()
    assert ada.events(OFFERED) == []
    assert (await practice.block())["status"] == "available"
    await block(*pair, on=False)
    await world.settle()
    await ada.event(OFFERED)
    assert (await practice.block())["status"] == "full"


async def test_a_block_withdraws_an_offer_and_makes_it_to_the_next_one(world):
    practice, sam, booking, (ada, ben) = await full_practice(world, "ada", "ben")
    await cancel(sam, booking)
    await ada.event(OFFERED)
    await block(practice.consultant, ada)
    await world.settle()
    assert (await ada.event(EXPIRED)).data["block"] == await practice.block()
    await ben.event(OFFERED)
    assert [(one["position"], one["offer_expires_at"]) for one in await waits(ada)] == [(1, None)]
    await block(ada, practice.consultant)
    await block(practice.consultant, ada, on=False)
    await practice.leave_list(ben)
    await world.settle()
    assert len(ada.events(OFFERED)) == 1, "the other block still stands"


async def block(by, who, on=True):
    await by.call("/chat", "block", user_id=who.id, on=on)


@pytest.mark.parametrize("reason", ["withdrawn", "begun"])
async def test_those_who_wait_are_told_when_the_hour_is_withdrawn_or_begins(world, reason):
    practice, sam, booking, people = await full_practice(world, "ada", "ben")
    if reason == "withdrawn":
        await cancel(sam, booking)  # Ada gets an offer
        await people[0].event(OFFERED)
        no_blocks = {"time_zone": "UTC", "blocks": []}
        await practice.consultant.call(NAMESPACE, "set_default_schedule", **no_blocks)
    else:
        world.clock.move_to(moment_of(practice.blocks[0]["starts_at"]))
    await world.settle()
    for person in people:
        closed = await person.event("WAITING_LIST_CLOSED")
        assert closed.data["reason"] == reason
        assert closed.data["block"]["id"] == practice.blocks[0]["id"]
        assert await waits(person) == []
        await person.enter("/notifications")
        page = await person.call("/notifications", "list")
        assert f"waiting_list_{reason}" in {one["kind"] for one in page["notifications"]}


async def test_a_place_that_becomes_free_during_the_hour_can_be_booked_by_anybody(world):
    """Who waited was told that the hour begins, so the place is not offered."""
    practice, sam, booking, (ada,) = await full_practice(world, "ada")
    watcher = await follow(practice)
    starts_at = moment_of(practice.blocks[0]["starts_at"])
    world.clock.move_to(starts_at + timedelta(minutes=10))
    await world.settle()
    await cancel(sam, booking)
    await world.settle()
    updated = await watcher.client.event("AVAILABILITY_UPDATED")
    assert (updated.data["block"]["taken"], updated.data["block"]["status"]) == (0, "available")
    await watcher.client.event("AVAILABILITY_BLOCK_AVAILABLE")
    assert updated.data["block"] == await practice.block()
    assert ada.events(OFFERED) == []
    await assert_refused(practice.join_list(ada), "DEADLINE_PASSED")
    assert (await practice.ask(ada))["status"] == "requested"
    await cancel(ada, (await ada.call("/booking", "list"))["bookings"][0])
    world.clock.move_to(starts_at + timedelta(minutes=46))  # less than the topic's minimum is left
    await assert_refused(practice.ask(ada), "DEADLINE_PASSED")


async def test_own_waits_are_listed_and_marked_in_the_blocks(world):
    practice, sam, _, (ada, ben) = await full_practice(world, "ada", "ben")
    block_id = practice.blocks[0]["id"]
    (wait,) = await waits(ben)
    assert (wait["position"], wait["offer_expires_at"]) == (2, None)
    assert wait["block"] == await practice.block()
    for person, expected in (
        (ben, {"waits": [block_id], "held": []}),
        (sam, {"waits": [], "held": [block_id]}),
        (await world.visitor(NAMESPACE), {"waits": [], "held": []}),
    ):
        listed = await practice.list_blocks(person)
        assert {name: listed[name] for name in expected} == expected
    await practice.leave_list(ben)
    assert await waits(ben) == []
    assert await waits(ada) != []


async def test_the_number_of_waiting_lists_of_a_user_is_limited(world, monkeypatch):
    monkeypatch.setattr(lists, "WAITS_MAX", 1)
    practice, _, _, (ada,) = await full_practice(world, "ada")
    await practice.booked(await world.person("tom"), 1)
    await assert_refused(practice.join_list(ada, 1), "TOO_MANY")


async def test_nobody_joins_the_list_of_an_hour_that_began_or_is_too_near(world):
    practice, _, _, _ = await full_practice(world)
    tom = await world.person("tom")
    start = moment_of(practice.blocks[0]["starts_at"])
    await practice.consultant.call(NAMESPACE, "set_terms", min_notice_minutes=60)
    world.clock.move_to(start - timedelta(minutes=59))
    refusal = await assert_refused(practice.join_list(tom), "DEADLINE_PASSED")
    assert moment_of(refusal.details["until"]) == start - timedelta(minutes=60)
