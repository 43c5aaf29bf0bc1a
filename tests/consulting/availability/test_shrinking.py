"""Shrinking and withdrawing blocks: effects on waiting lists, bookings and places."""

from datetime import timedelta

import pytest

from tests.consulting.availability.practice import (
    assert_refused,
    daily,
    follow,
    open_practice,
    week_of,
)

NAMESPACE = "/availability"
OFFERED, EXPIRED = "WAITING_LIST_OFFERED", "WAITING_LIST_OFFER_EXPIRED"


async def set_week(practice, blocks):
    await practice.consultant.call(
        NAMESPACE, "set_default_schedule", time_zone="UTC", blocks=blocks
    )


async def cancel(student, booking):
    await student.call("/booking", "cancel", booking_id=booking["id"])


async def make_people(world, *names):
    return [await world.person(name) for name in names]


async def full_practice(world, places=2):
    """A practice whose block 0 is full, the students booked in it, and their bookings."""
    practice = await open_practice(world, max_calls=places)
    holders = await make_people(world, *("sam", "tom", "una")[:places])
    return practice, holders, [await practice.booked(holder) for holder in holders]


def capacity_of(block):
    return block["taken"], block["max_calls"], block["status"]


async def test_shrinking_a_block_expires_the_last_offer_and_keeps_the_waiting_list(world):
    practice, holders, bookings = await full_practice(world)
    watcher = await follow(practice)
    ada, ben, cem = await make_people(world, "ada", "ben", "cem")
    for person in (ada, ben, cem):
        await practice.join_list(person)
    for holder, booking in zip(holders, bookings, strict=True):
        await cancel(holder, booking)
    await ben.event(OFFERED)
    await set_week(practice, daily(10, 14, max_calls=1))
    expired = await ben.event(EXPIRED)
    assert expired.data["block"] == await practice.block()
    assert capacity_of(expired.data["block"]) == (1, 1, "full")
    assert [await practice.join_list(person) for person in (ada, ben, cem)] == [1, 2, 3]
    await practice.leave_list(ada)
    await world.settle()
    assert [len(person.events(OFFERED)) for person in (ada, ben, cem)] == [1, 2, 0]
    assert ada.events(EXPIRED) == []
    assert (await practice.ask(ben))["status"] == "requested"
    await watcher.assert_in_sync()


async def test_a_waiting_list_survives_shrinking_but_not_the_end_of_its_block(world):
    practice, (sam,), (booking,) = await full_practice(world, places=1)
    ada, ben = await make_people(world, "ada", "ben")
    for person in (ada, ben):
        await practice.join_list(person)
    await set_week(practice, [])
    await set_week(practice, daily(10, 14, max_calls=2))
    await ada.event(OFFERED)
    await practice.leave_list(ada)
    await practice.leave_list(ben)
    await practice.ask(ben)
    await set_week(practice, daily(10, 14))
    assert await practice.join_list(ada) == 1
    await set_week(practice, [])
    await cancel(ben, (await ben.call("/booking", "list"))["bookings"][0])
    await cancel(sam, booking)
    assert (await practice.block())["status"] == "cancelled"
    await set_week(practice, daily(10, 14))
    await assert_refused(practice.leave_list(ada), "NOT_FOUND")
    assert (await practice.block())["status"] == "available"


async def test_excess_places_are_removed_as_their_bookings_end(world):
    practice, (sam, tom, una), bookings = await full_practice(world, places=3)
    watcher = await follow(practice)
    await set_week(practice, daily(10, 14))
    assert capacity_of(await practice.block()) == (3, 3, "full")
    await cancel(sam, bookings[0])
    assert capacity_of(await practice.block()) == (2, 2, "full")
    await assert_refused(practice.ask(sam), "BLOCK_FULL")
    await practice.consultant.call("/booking", "cancel", booking_id=bookings[1]["id"])
    await assert_refused(practice.ask(tom), "BLOCK_FULL")
    await cancel(una, bookings[2])
    assert capacity_of(await practice.block()) == (0, 1, "available")
    await watcher.assert_in_sync()


@pytest.mark.parametrize("cause", ["week", "stop"])
async def test_a_withdrawn_block_is_cancelled_when_its_last_booking_ends(world, cause):
    practice, (sam, tom), bookings = await full_practice(world)
    watcher = await follow(practice)
    if cause == "stop":
        await practice.consultant.call("/consultants", "stop")
        await world.settle()
    else:
        await set_week(practice, [])
    await cancel(sam, bookings[0])
    await assert_refused(
        practice.ask(sam), "TOPIC_NOT_OFFERED" if cause == "stop" else "BLOCK_FULL"
    )
    await cancel(tom, bookings[1])
    assert (await practice.block())["status"] == "cancelled"
    if cause == "week":
        await assert_refused(practice.ask(sam), "NOT_FOUND")
    await watcher.assert_in_sync()


async def test_a_withdrawn_block_whose_last_request_expired_cannot_be_requested(world):
    practice = await open_practice(world)
    sam, tom = await make_people(world, "sam", "tom")
    await practice.ask(sam)
    await set_week(practice, [])
    world.clock.advance(86_401)
    await assert_refused(practice.ask(tom), "NOT_FOUND")
    await world.settle()
    assert (await practice.block())["status"] == "cancelled"


async def test_an_override_can_cancel_the_bookings_of_a_withdrawn_block(world):
    practice, (sam, _), bookings = await full_practice(world)
    await set_week(practice, [])
    week = {"week": week_of(practice.blocks[0]), "blocks": []}
    call = practice.consultant.call
    refusal = await assert_refused(call(NAMESPACE, "override_week", **week), "CONFLICT")
    assert len((refusal.details or {})["bookings"]) == 2
    await call(NAMESPACE, "override_week", **week, cancel_bookings=True)
    event = await sam.event("BOOKING_CANCELLED")
    assert event.data["booking"]["id"] == bookings[0]["id"]
    assert (await practice.block())["status"] == "cancelled"


async def test_changing_max_calls_publishes_each_count_and_status(world):
    practice, _, _ = await full_practice(world)
    watcher = await follow(practice)

    async def published(name):
        await watcher.assert_in_sync()
        blocks = [event.data["block"] for event in watcher.client.events(name)]
        return [capacity_of(block) for block in blocks if block["id"] == practice.blocks[0]["id"]]

    await set_week(practice, daily(10, 14, max_calls=3))
    assert await published("AVAILABILITY_BLOCK_AVAILABLE") == [(2, 3, "available")]
    await set_week(practice, daily(10, 14, max_calls=1))
    assert await published("AVAILABILITY_BLOCK_FULL") == [(2, 2, "full")]
    assert await published("AVAILABILITY_UPDATED") == [(2, 3, "available"), (2, 2, "full")]


async def test_withdrawing_a_week_publishes_all_free_blocks_in_one_event(world):
    """A schedule can have hundreds of blocks; one event each would use up a watcher's replay."""
    practice, (sam, _), _ = await full_practice(world)
    watcher = await follow(practice)
    await set_week(practice, [])
    await watcher.assert_in_sync()
    assert watcher.client.events("AVAILABILITY_UPDATED") == []
    (event,) = watcher.client.events("DEFAULT_SCHEDULE_SET")
    withdrawn = [block for block in event.data["blocks"] if block["status"] == "cancelled"]
    fresh = (await practice.list_blocks(sam))["blocks"]
    assert withdrawn == [block for block in fresh if block["status"] == "cancelled"]


async def test_clearing_an_override_far_ahead_cancels_its_blocks(world):
    practice = await open_practice(world)
    far = (world.clock.now() + timedelta(weeks=10)).isocalendar()
    week = f"{far.year}-W{far.week:02d}"
    hours = [{"weekday": 2, "hour": 13, "max_calls": 1}]
    call = practice.consultant.call
    answer = await call(NAMESPACE, "override_week", week=week, blocks=hours)
    assert len(answer["blocks"]) == 1
    assert await call(NAMESPACE, "clear_override", week=week) == {"blocks": []}
    blocks = (await practice.list_blocks(practice.consultant))["blocks"]
    assert [b["status"] for b in blocks if week_of(b) == week] == ["cancelled"]
