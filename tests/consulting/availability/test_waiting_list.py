"""Waiting lists: a freed place goes to the first for a while, then to the next."""

import asyncio
from datetime import timedelta

import pytest

from handlers.consulting.availability.contracts import OfferDue
from handlers.consulting.availability.service import lists
from storage.consulting.availability.waiting_lists import list_offered
from tests.consulting.availability.practice import (
    daily,
    follow,
    moment_of,
    open_practice,
    refused,
)
from tests.consulting.waiting_room.scenes import ask_before_commit
from tests.world import both_databases, with_server

NAMESPACE = "/availability"
OFFERED, EXPIRED = "WAITING_LIST_OFFERED", "WAITING_LIST_OFFER_EXPIRED"
QUARTER_S = 900


async def full_practice(world, *waiting):
    """A practice whose block 0 is sam's, and the people who wait for it."""
    practice = await open_practice(world)
    sam = await world.person("sam")
    booking = await practice.booked(sam)
    people = [await world.person(name) for name in waiting]
    for number, person in enumerate(people):
        assert await practice.wait_in_line(person) == number + 1
    return practice, sam, booking, people


async def cancel(student, booking):
    return await student.call("/booking", "cancel", booking_id=booking["id"])


async def test_a_freed_place_is_offered_to_the_first_and_nobody_else_can_take_it(world):
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
        await refused(practice.ask(other), "BLOCK_FULL")
        assert other.events(OFFERED) == []
    assert watcher.client.events(OFFERED) == []
    taken = await practice.ask(ada)
    assert taken["status"] == "requested"
    assert (await practice.block())["taken"] == 1, "the offer became the booking's hold"
    await refused(practice.give_up(ada), "NOT_FOUND")
    world.clock.advance(QUARTER_S + 1)
    await world.settle()
    assert (ada.events(EXPIRED), ben.events(OFFERED)) == ([], [])
    assert (await ada.call("/booking", "get", booking_id=taken["id"]))["status"] == "requested"
    await watcher.agrees()


async def test_an_offer_that_nobody_takes_goes_to_the_next_and_then_the_place_is_free(world):
    practice, sam, booking, (ada, ben) = await full_practice(world, "ada", "ben")
    watcher = await follow(practice)
    await cancel(sam, booking)
    first = await ada.event(OFFERED)
    world.clock.advance(QUARTER_S - 30)
    await world.settle()
    assert ben.events(OFFERED) == []
    world.clock.advance(31)
    await world.settle()
    over = await ada.event(EXPIRED)
    assert over.data == {"block": await practice.block(), **expiry_of(first)}
    assert over.data["block"]["status"] == "full", "it is ben's now"
    assert (await ben.event(OFFERED)).data["block"] == await practice.block()
    await refused(practice.ask(ada), "BLOCK_FULL")
    await watcher.agrees()
    world.clock.advance(QUARTER_S + 1)
    await world.settle()
    await ben.event(EXPIRED)
    freed = await watcher.client.event("AVAILABILITY_BLOCK_AVAILABLE")
    assert freed.data == {"block": await practice.block()}
    assert (freed.data["block"]["taken"], freed.data["block"]["status"]) == (0, "available")
    assert [len(p.events(name)) for p in (ada, ben) for name in (OFFERED, EXPIRED)] == [1] * 4
    await refused(practice.wait_in_line(ada), "BLOCK_NOT_FULL")
    assert (await practice.ask(ada))["status"] == "requested"
    await watcher.agrees()


def expiry_of(offer):
    return {"expires_at": offer.data["expires_at"]}


async def test_leaving_the_list_or_declining_an_offer_lets_the_next_have_it(world):
    practice, sam, booking, people = await full_practice(world, "ada", "ben", "cem", "dan")
    ada, ben, cem, dan = people
    assert await practice.wait_in_line(cem) == 3, "joining again keeps the position"
    await practice.give_up(ben)
    assert await practice.wait_in_line(dan) == 3
    await cancel(sam, booking)
    await ada.event(OFFERED)
    await practice.give_up(ada)
    await cem.event(OFFERED)
    assert ben.events(OFFERED) == []
    assert ada.events(EXPIRED) == [], "who declined needs no telling"
    await refused(practice.ask(ada), "BLOCK_FULL")
    await practice.give_up(cem)
    await dan.event(OFFERED)
    await practice.give_up(dan)
    assert (await practice.block())["status"] == "available"
    world.clock.advance(QUARTER_S + 1)
    await world.settle()
    assert await world.stored(EXPIRED) == []


async def test_the_list_is_for_full_blocks_of_others_that_are_not_over(world):
    practice, sam, _, (ada,) = await full_practice(world, "ada")
    await refused(practice.wait_in_line(ada, 1), "BLOCK_NOT_FULL")
    await refused(practice.wait_in_line(practice.consultant), "OWN_BLOCK")
    await refused(practice.wait_in_line(sam), "ALREADY_HOLDS")
    await refused(practice.give_up(sam), "NOT_FOUND")
    week = daily(10, 14)
    await practice.consultant.call(
        NAMESPACE, "set_default_schedule", time_zone="UTC", blocks=week[:0]
    )
    await refused(practice.wait_in_line(ada, 1), "NOT_FOUND")
    world.clock.move_to(moment_of(practice.blocks[0]["ends_at"]))
    await refused(practice.wait_in_line(ada), "BLOCK_PAST")


async def test_every_way_in_which_a_place_is_freed_leads_to_an_offer(world):
    practice = await open_practice(world)
    people = [await world.person(name) for name in ("ada", "ben", "cem", "dan")]
    sam, clara = await world.person("sam"), practice.consultant
    booking = await practice.ask(sam)
    for person in people:
        await practice.wait_in_line(person)
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


async def test_an_offer_ends_with_its_block_and_with_its_withdrawal(world):
    practice, sam, booking, (ada, ben) = await full_practice(world, "ada", "ben")
    ends_at = moment_of(practice.blocks[0]["ends_at"])
    world.clock.move_to(ends_at - timedelta(minutes=5))
    await cancel(sam, booking)
    assert moment_of((await ada.event(OFFERED)).data["expires_at"]) == ends_at
    world.clock.advance(301)
    await world.settle()
    await ada.event(EXPIRED)
    assert ben.events(OFFERED) == []


async def test_withdrawing_a_block_ends_its_offers(world):
    practice, sam, booking, (ada, ben) = await full_practice(world, "ada", "ben")
    watcher = await follow(practice)
    await cancel(sam, booking)
    await ada.event(OFFERED)
    await practice.consultant.call(NAMESPACE, "set_default_schedule", time_zone="UTC", blocks=[])
    over = await ada.event(EXPIRED)
    assert (over.data["block"]["status"], over.data["block"]["taken"]) == ("cancelled", 0)
    assert ben.events(OFFERED) == []
    await refused(practice.ask(ada), "NOT_FOUND")
    await watcher.agrees()


async def test_the_line_is_kept_even_when_no_timer_ran(world, monkeypatch):
    """Whoever comes after an offer is over finds it so, and passes nobody who waits."""
    practice, sam, booking, (ada, ben) = await full_practice(world, "ada", "ben")
    await cancel(sam, booking)
    await ada.event(OFFERED)
    monkeypatch.setattr(world.app.timers, "fire", no_timers)
    world.clock.advance(QUARTER_S + 1)
    await refused(practice.ask(sam), "BLOCK_FULL")
    assert (await practice.ask(ben))["status"] == "requested"
    await ada.event(EXPIRED)


async def no_timers():
    return 0


async def test_a_hold_that_is_over_does_not_keep_the_list_open(world, monkeypatch):
    practice = await open_practice(world)
    sam, ada = [await world.person(name) for name in ("sam", "ada")]
    await practice.ask(sam)
    monkeypatch.setattr(world.app.timers, "fire", no_timers)
    world.clock.advance(86_401)
    await refused(practice.wait_in_line(ada), "BLOCK_NOT_FULL")
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
    again = await world.another_session(ben)
    offers = await world.stored(OFFERED)
    assert len(offers) == 2
    assert (await practice.ask(again))["status"] == "requested"


@both_databases
async def test_many_who_leave_join_and_ask_at_once_never_overfill_the_block(world):
    practice, sam, booking, people = await full_practice(world, "ada", "ben", "cem", "dan")
    watcher = await follow(practice)
    ada, ben, cem, dan = people

    async def quietly(work):
        return (await asyncio.gather(work, return_exceptions=True))[0]

    for _ in range(3):
        await asyncio.gather(
            *(quietly(practice.give_up(person)) for person in (ada, cem)),
            *(quietly(practice.ask(person)) for person in (ben, dan)),
            quietly(cancel(sam, booking)),
        )
        await asyncio.gather(*(quietly(practice.wait_in_line(person)) for person in people))
    await world.settle()
    await watcher.agrees()
    assert (await practice.block())["taken"] <= 1


async def test_a_list_takes_only_so_many(world, monkeypatch):
    monkeypatch.setattr(lists, "WAITING_MAX", 2)
    practice, _, _, (ada, ben) = await full_practice(world, "ada", "ben")
    cem = await world.person("cem")
    refusal = await refused(practice.wait_in_line(cem), "CONFLICT")
    assert refusal.details == {"most": 2}
    assert await practice.wait_in_line(ben) == 2, "who is on it stays"
    await practice.give_up(ada)
    assert await practice.wait_in_line(cem) == 2


async def test_an_offer_whose_timer_fired_before_its_time_still_expires(world):
    practice, sam, booking, (ada, ben) = await full_practice(world, "ada", "ben")
    await cancel(sam, booking)
    await ada.event(OFFERED)
    await world.transact(fire_early, practice.blocks[0]["id"])
    await world.settle()
    assert ada.events(EXPIRED) == []
    world.clock.advance(QUARTER_S + 1)
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
async def test_who_joins_while_the_block_is_withdrawn_waits_for_what_becomes_of_it(
    world, database_url
):
    practice, *_ = await full_practice(world)
    ada = await world.person("ada")
    joining = practice.wait_in_line(ada)
    block_id = practice.blocks[0]["id"]
    await refused(ask_before_commit(database_url, WITHDRAW, block_id, joining), "NOT_FOUND")
