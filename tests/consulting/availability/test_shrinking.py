"""Hours that are shrunk or withdrawn: who waits, who is booked, and what becomes of the places."""

from datetime import timedelta

import pytest

from tests.consulting.availability.practice import (
    daily,
    follow,
    open_practice,
    refused,
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


async def people_of(world, *names):
    return [await world.person(name) for name in names]


async def booked_out(world, places=2):
    """A practice whose block 0 is full, who holds it, and their bookings."""
    practice = await open_practice(world, max_calls=places)
    holders = await people_of(world, *("sam", "tom", "una")[:places])
    return practice, holders, [await practice.booked(holder) for holder in holders]


def places_of(block):
    return block["taken"], block["max_calls"], block["status"]


async def test_a_shrunk_block_takes_back_the_last_offers_and_keeps_everybody_in_line(world):
    practice, holders, bookings = await booked_out(world)
    watcher = await follow(practice)
    ada, ben, cem = await people_of(world, "ada", "ben", "cem")
    for person in (ada, ben, cem):
        await practice.wait_in_line(person)
    for holder, booking in zip(holders, bookings, strict=True):
        await cancel(holder, booking)
    await ben.event(OFFERED)
    await set_week(practice, daily(10, 14, max_calls=1))
    over = await ben.event(EXPIRED)
    assert over.data["block"] == await practice.block()
    assert places_of(over.data["block"]) == (1, 1, "full")
    assert [await practice.wait_in_line(person) for person in (ada, ben, cem)] == [1, 2, 3]
    await practice.give_up(ada)
    await world.settle()
    assert [len(person.events(OFFERED)) for person in (ada, ben, cem)] == [1, 2, 0]
    assert ada.events(EXPIRED) == []
    assert (await practice.ask(ben))["status"] == "requested"
    await watcher.agrees()


async def test_a_line_outlives_a_shrinking_and_ends_when_the_block_goes_away(world):
    practice, (sam,), (booking,) = await booked_out(world, places=1)
    ada, ben = await people_of(world, "ada", "ben")
    for person in (ada, ben):
        await practice.wait_in_line(person)
    await set_week(practice, [])
    await set_week(practice, daily(10, 14, max_calls=2))
    await ada.event(OFFERED)
    await practice.give_up(ada)
    await practice.give_up(ben)
    await practice.ask(ben)
    await set_week(practice, daily(10, 14))
    assert await practice.wait_in_line(ada) == 1
    await set_week(practice, [])
    await cancel(ben, (await ben.call("/booking", "list"))["bookings"][0])
    await cancel(sam, booking)
    assert (await practice.block())["status"] == "cancelled"
    await set_week(practice, daily(10, 14))
    await refused(practice.give_up(ada), "NOT_FOUND")
    assert (await practice.block())["status"] == "available"


async def test_places_beyond_what_is_wanted_go_as_their_bookings_end(world):
    practice, (sam, tom, una), bookings = await booked_out(world, places=3)
    watcher = await follow(practice)
    await set_week(practice, daily(10, 14))
    assert places_of(await practice.block()) == (3, 3, "full")
    await cancel(sam, bookings[0])
    assert places_of(await practice.block()) == (2, 2, "full")
    await refused(practice.ask(sam), "BLOCK_FULL")
    await practice.consultant.call("/booking", "cancel", booking_id=bookings[1]["id"])
    await refused(practice.ask(tom), "BLOCK_FULL")
    await cancel(una, bookings[2])
    assert places_of(await practice.block()) == (0, 1, "available")
    await watcher.agrees()


@pytest.mark.parametrize("way", ["week", "stop"])
async def test_a_withdrawn_hour_goes_away_with_its_last_booking(world, way):
    practice, (sam, tom), bookings = await booked_out(world)
    watcher = await follow(practice)
    if way == "stop":
        await practice.consultant.call("/consultants", "stop")
        await world.settle()
    else:
        await set_week(practice, [])
    await cancel(sam, bookings[0])
    await refused(practice.ask(sam), "TOPIC_NOT_OFFERED" if way == "stop" else "BLOCK_FULL")
    await cancel(tom, bookings[1])
    assert (await practice.block())["status"] == "cancelled"
    if way == "week":
        await refused(practice.ask(sam), "NOT_FOUND")
    await watcher.agrees()


async def test_a_withdrawn_hour_whose_last_request_expired_unseen_cannot_be_asked_for(world):
    practice = await open_practice(world)
    sam, tom = await people_of(world, "sam", "tom")
    await practice.ask(sam)
    await set_week(practice, [])
    world.clock.advance(86_401)
    await refused(practice.ask(tom), "NOT_FOUND")
    await world.settle()
    assert (await practice.block())["status"] == "cancelled"


async def test_an_hour_that_only_bookings_keep_can_be_cleared_with_them(world):
    practice, (sam, _), bookings = await booked_out(world)
    await set_week(practice, [])
    week = {"week": week_of(practice.blocks[0]), "blocks": []}
    override = practice.consultant.call
    refusal = await refused(override(NAMESPACE, "override_week", **week), "CONFLICT")
    assert len((refusal.details or {})["bookings"]) == 2
    await override(NAMESPACE, "override_week", **week, cancel_bookings=True)
    told = await sam.event("BOOKING_CANCELLED")
    assert told.data["booking"]["id"] == bookings[0]["id"]
    assert (await practice.block())["status"] == "cancelled"


async def test_a_change_of_the_week_tells_each_count_and_status(world):
    practice, _, _ = await booked_out(world)
    watcher = await follow(practice)

    async def told(name):
        await watcher.agrees()
        blocks = [event.data["block"] for event in watcher.client.events(name)]
        return [places_of(block) for block in blocks if block["id"] == practice.blocks[0]["id"]]

    await set_week(practice, daily(10, 14, max_calls=3))
    assert await told("AVAILABILITY_BLOCK_AVAILABLE") == [(2, 3, "available")]
    await set_week(practice, daily(10, 14, max_calls=1))
    assert await told("AVAILABILITY_BLOCK_FULL") == [(2, 2, "full")]
    assert await told("AVAILABILITY_UPDATED") == [(2, 3, "available"), (2, 2, "full")]


async def test_one_event_tells_of_all_free_blocks_that_a_week_loses(world):
    """Of a full week there are hundreds; one by one they would use up the replay of who watches."""
    practice, (sam, _), _ = await booked_out(world)
    watcher = await follow(practice)
    await set_week(practice, [])
    await watcher.agrees()
    assert watcher.client.events("AVAILABILITY_UPDATED") == []
    (told,) = watcher.client.events("DEFAULT_SCHEDULE_SET")
    gone = [block for block in told.data["blocks"] if block["status"] == "cancelled"]
    fresh = (await practice.list_blocks(sam))["blocks"]
    assert gone == [block for block in fresh if block["status"] == "cancelled"]


async def test_clearing_a_week_that_is_far_ahead_leaves_no_block_in_it(world):
    practice = await open_practice(world)
    far = (world.clock.now() + timedelta(weeks=10)).isocalendar()
    week = f"{far.year}-W{far.week:02d}"
    hours = [{"weekday": 2, "hour": 13, "max_calls": 1}]
    change = practice.consultant.call
    made = await change(NAMESPACE, "override_week", week=week, blocks=hours)
    assert len(made["blocks"]) == 1
    assert await change(NAMESPACE, "clear_override", week=week) == {"blocks": []}
    blocks = (await practice.list_blocks(practice.consultant))["blocks"]
    assert [b["status"] for b in blocks if week_of(b) == week] == ["cancelled"]
