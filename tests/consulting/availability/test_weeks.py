"""Default weeks and overrides: what becomes of blocks, and what booked ones are safe from."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from storage.events.deliveries import Queue
from tests.consulting.availability.practice import (
    daily,
    follow,
    heard_in,
    moment_of,
    open_practice,
    refused,
    week_of,
)
from tests.world import one_database

NAMESPACE = "/availability"


async def set_week(practice, blocks, zone="UTC"):
    return await practice.consultant.call(
        NAMESPACE, "set_default_schedule", time_zone=zone, blocks=blocks
    )


async def override(practice, week, blocks, **more):
    return await practice.consultant.call(
        NAMESPACE, "override_week", week=week, blocks=blocks, **more
    )


def own_week(block, **changes):
    """A week's blocks with only the hour of `block`, changed."""
    start = moment_of(block["starts_at"])
    hour = {"weekday": start.weekday(), "hour": start.hour, "max_calls": block["max_calls"]}
    return [{**hour, **changes}]


async def test_a_default_week_becomes_blocks_and_its_change_keeps_what_is_booked(world):
    practice = await open_practice(world, hours=(10, 14), max_calls=2)
    clara, sam = practice.consultant, await world.person("sam")
    block = practice.blocks[0]
    assert block == {
        "id": block["id"],
        "consultant_id": clara.id,
        "starts_at": block["starts_at"],
        "ends_at": block["ends_at"],
        "max_calls": 2,
        "taken": 0,
        "status": "available",
    }
    watcher = await follow(practice)
    booking = await practice.booked(sam)
    answer = await set_week(practice, daily(20))
    starts = {moment_of(one["starts_at"]) for one in answer["blocks"]}
    assert {start.hour for start in starts} == {20, moment_of(block["starts_at"]).hour}
    kept = await practice.block()
    assert (kept["taken"], kept["max_calls"], kept["status"]) == (1, 1, "full")
    assert (await practice.block(1))["status"] == "cancelled"
    told = (await clara.event("DEFAULT_SCHEDULE_SET", lambda d: len(d["blocks"]) > 60)).data
    assert set(told) == {"blocks"}
    await watcher.agrees()
    still = await sam.call("/booking", "get", booking_id=booking["id"])
    assert still["status"] == "approved"
    await sam.call("/booking", "cancel", booking_id=booking["id"])
    await watcher.agrees()
    await set_week(practice, daily(10, 14, max_calls=2))
    assert (await practice.block(1))["status"] == "available"
    assert (await practice.block())["max_calls"] == 2
    await watcher.agrees()


async def test_the_same_week_again_changes_and_tells_nothing(world):
    practice = await open_practice(world)
    before = await practice.list_blocks(practice.consultant)
    await set_week(practice, daily(10, 14))
    assert await practice.list_blocks(practice.consultant) == before
    assert len(await world.stored("DEFAULT_SCHEDULE_SET")) == 1


async def test_an_override_changes_one_week_and_clearing_it_brings_the_default_back(world):
    practice = await open_practice(world)
    watcher = await follow(practice)
    clara = practice.consultant
    week = week_of(practice.blocks[14])
    hour = {"weekday": 2, "hour": 7, "max_calls": 4}
    answer = await override(practice, week, [hour])
    assert len(answer["blocks"]) == 1
    assert answer["blocks"][0]["max_calls"] == 4
    assert moment_of(answer["blocks"][0]["starts_at"]).hour == 7
    told = (await clara.event("WEEKLY_SCHEDULE_UPDATED")).data["blocks"]
    assert {week_of(block) for block in told} == {week}
    assert sum(block["status"] == "cancelled" for block in told) == 14
    await watcher.agrees()
    assert await clara.call(NAMESPACE, "get_schedule") == {
        "time_zone": "UTC",
        "default": daily(10, 14),
        "overrides": [{"week": week, "blocks": [hour]}],
    }
    await set_week(practice, daily(11))
    blocks = (await practice.list_blocks(clara))["blocks"]
    here = [b for b in blocks if week_of(b) == week and b["status"] != "cancelled"]
    assert [b["id"] for b in here] == [answer["blocks"][0]["id"]], "the override still holds"
    cleared = await clara.call(NAMESPACE, "clear_override", week=week)
    assert {moment_of(b["starts_at"]).hour for b in cleared["blocks"]} == {11}
    assert len(cleared["blocks"]) == 7
    assert (await clara.call(NAMESPACE, "get_schedule"))["overrides"] == []
    await watcher.agrees()


async def test_an_override_names_the_bookings_it_would_cost_and_cancels_them_if_told(world):
    practice = await open_practice(world, max_calls=2)
    watcher = await follow(practice)
    sam, tom, una = [await world.person(name) for name in ("sam", "tom", "una")]
    first, second = practice.blocks[6], practice.blocks[7]
    week = week_of(first)
    kept = await practice.booked(sam, 6)
    lost = [await practice.booked(tom, 6), await practice.ask(una, 7)]
    shrunk = own_week(first, max_calls=1)
    before = await practice.list_blocks(sam)
    refusal = await refused(override(practice, week, shrunk), "CONFLICT")
    assert sorted((refusal.details or {})["bookings"]) == sorted(booking["id"] for booking in lost)
    assert await practice.list_blocks(sam) == before, "a refusal changes nothing"
    assert (await practice.consultant.call(NAMESPACE, "get_schedule"))["overrides"] == []
    await override(practice, week, shrunk, cancel_bookings=True)
    await world.settle()
    for student, booking in ((tom, lost[0]), (una, lost[1])):
        told = await student.event("BOOKING_CANCELLED")
        assert told.data["booking"]["id"] == booking["id"]
        assert told.data["booking"]["reason"]
    assert (await sam.call("/booking", "get", booking_id=kept["id"]))["status"] == "approved"
    now = await practice.block_of(first["id"])
    assert (now["taken"], now["max_calls"], now["status"]) == (1, 1, "full")
    assert (await practice.block_of(second["id"]))["status"] == "cancelled"
    assert len(practice.consultant.events("BOOKING_CANCELLED")) == 2
    assert len(await world.stored("BOOKING_CANCELLED")) == 2
    await watcher.agrees()


async def test_clearing_an_override_asks_the_same_of_booked_blocks(world):
    practice = await open_practice(world)
    week = week_of(practice.blocks[14])
    extra = (await override(practice, week, [{"weekday": 2, "hour": 7, "max_calls": 1}]))["blocks"]
    sam = await world.person("sam")
    booking = await sam.call(
        "/booking", "request", block_id=extra[0]["id"], topic_id=practice.topic["id"]
    )
    clear = practice.consultant.call
    refusal = await refused(clear(NAMESPACE, "clear_override", week=week), "CONFLICT")
    assert (refusal.details or {})["bookings"] == [booking["id"]]
    await clear(NAMESPACE, "clear_override", week=week, cancel_bookings=True)
    await world.settle()
    assert (await sam.event("BOOKING_CANCELLED")).data["booking"]["id"] == booking["id"]


async def test_a_new_zone_moves_far_overrides_too(world):
    practice = await open_practice(world)
    far = (world.clock.now() + timedelta(weeks=12)).isocalendar()
    week = f"{far.year}-W{far.week:02d}"
    await override(practice, week, [{"weekday": 2, "hour": 13, "max_calls": 1}])
    await set_week(practice, [], "Asia/Tokyo")
    blocks = (await practice.list_blocks(practice.consultant))["blocks"]
    open_blocks = [block for block in blocks if block["status"] == "available"]
    starts = [moment_of(block["starts_at"]) for block in open_blocks]
    assert [start.astimezone(ZoneInfo("Asia/Tokyo")).hour for start in starts] == [13]


async def test_blocks_are_made_ahead_day_by_day(world):
    practice = await open_practice(world, hours=(10,))
    watcher = await follow(practice)
    last = moment_of(practice.blocks[-1]["starts_at"])
    for _ in range(8):
        world.clock.advance(86_400)
        await world.settle()
    blocks = (await practice.list_blocks(practice.consultant))["blocks"]
    assert moment_of(blocks[-1]["starts_at"]) >= last + timedelta(days=7)
    gone = {block["id"] for block in blocks} ^ {b["id"] for b in watcher.snapshot["blocks"]}
    assert gone, "time went on"
    added = heard_in(watcher.client, NAMESPACE, practice.room)
    assert {event.name for event in added} == {"DEFAULT_SCHEDULE_SET"}


async def test_who_stops_offers_no_block_keeps_the_booked_and_gets_the_week_back(world):
    practice = await open_practice(world)
    watcher = await follow(practice)
    clara, sam = practice.consultant, await world.person("sam")
    booking = await practice.booked(sam)
    await clara.call("/consultants", "stop")
    await world.settle()
    await watcher.agrees()
    statuses = [b["status"] for b in (await practice.list_blocks(sam))["blocks"]]
    assert statuses.count("full") == 1
    assert statuses.count("cancelled") == len(statuses) - 1
    assert (await sam.call("/booking", "get", booking_id=booking["id"]))["status"] == "approved"
    await refused(clara.call(NAMESPACE, "set_available_now", available=True), "FORBIDDEN")
    assert await set_week(practice, daily(10, 15)) == {"blocks": [await practice.block()]}
    about = {"about_me": "Again.", "languages": ["en"], "country": "DE", "time_zone": "UTC"}
    await clara.call("/consultants", "become", **about)
    await world.settle()
    await watcher.agrees()
    assert (await practice.block(2))["status"] == "available"
    await sam.call("/booking", "cancel", booking_id=booking["id"])
    assert (await practice.block())["status"] == "available"


async def test_beginning_again_at_once_leaves_the_week_as_it_was(world, monkeypatch):
    """Also when that they stopped is heard after that they began again."""
    practice = await open_practice(world)
    clara = practice.consultant
    about = {"about_me": "Again.", "languages": ["en"], "country": "DE", "time_zone": "UTC"}
    with monkeypatch.context() as patched:
        patched.setattr(world.app.relay, "wake", lambda wake: None)
        await clara.call("/consultants", "stop")
        await clara.call("/consultants", "become", **about)
        for consumer in ("bring_the_week_back", "withdraw_the_week"):
            queue = Queue(f"consulting.availability.{consumer}", practice.room)
            while await world.app.relay._take_turn(queue):
                pass
    await world.settle()
    assert {b["status"] for b in (await practice.list_blocks(clara))["blocks"]} == {"available"}


@one_database
async def test_weeks_and_ranges_that_cannot_be_are_invalid(world):
    practice = await open_practice(world)
    clara = practice.consultant
    past = (world.clock.now() - timedelta(weeks=2)).isocalendar()
    for week in (
        "2027-W60",
        "2027-48",
        "W48",
        "2027-W01\n",
        f"{past.year}-W{past.week:02d}",
        "9999-W01",
    ):
        await refused(override(practice, week, []), "INVALID")
    for wrong in (
        [{"weekday": 7, "hour": 1, "max_calls": 1}],
        [{"weekday": 0, "hour": 24, "max_calls": 1}],
        [{"weekday": 0, "hour": 1, "max_calls": 0}],
        [{"weekday": 0, "hour": 1}],
    ):
        await refused(set_week(practice, wrong), "INVALID")
    await refused(set_week(practice, [], "Mars/Olympus"), "INVALID")
    now = practice.world.clock.now()
    for start, end in ((now, now), (now, now + timedelta(days=100)), ("today", now)):
        span = {"from": str(start).replace(" ", "T"), "to": end.isoformat()}
        asked = clara.call(NAMESPACE, "list_blocks", consultant_id=clara.id, **span)
        await refused(asked, "INVALID")


@one_database
async def test_only_consultants_have_weeks(world):
    sam, visitor = await world.person("sam"), await world.visitor(NAMESPACE)
    for command, payload in (
        ("set_default_schedule", {"time_zone": "UTC", "blocks": []}),
        ("override_week", {"week": "2027-W01", "blocks": []}),
        ("clear_override", {"week": "2027-W01"}),
        ("get_schedule", {}),
        ("set_available_now", {"available": True}),
    ):
        await refused(sam.call(NAMESPACE, command, **payload), "FORBIDDEN")
        await refused(visitor.call(NAMESPACE, command, **payload), "FORBIDDEN")
    for command in ("join_waiting_list", "leave_waiting_list"):
        await refused(visitor.call(NAMESPACE, command, block_id=sam.id), "FORBIDDEN")
        await refused(sam.call(NAMESPACE, command, block_id=sam.id), "NOT_FOUND")
    clara = await world.person("clara", consultant=True)
    schedule = await clara.call(NAMESPACE, "get_schedule")
    assert (schedule["default"], schedule["overrides"]) == ([], [])


@pytest.mark.parametrize("moment", ["before", "now", "after"])
@one_database
async def test_a_list_has_what_ends_after_its_start_and_begins_before_its_end(world, moment):
    world.clock.move_to(datetime(2027, 5, 3, 10, 30, tzinfo=UTC))
    practice = await open_practice(world, hours=(10, 11))
    visitor = await world.visitor(NAMESPACE)
    span = {
        "before": ("2027-05-03T09:00:00Z", "2027-05-03T10:00:00Z"),
        "now": ("2027-05-03T10:30:00Z", "2027-05-03T11:00:00Z"),
        "after": ("2027-05-03T11:00:00Z", "2027-05-04T10:00:00Z"),
    }[moment]
    who = {"consultant_id": practice.consultant.id}
    answer = await visitor.call(NAMESPACE, "list_blocks", **who, **{"from": span[0], "to": span[1]})
    starts = [block["starts_at"] for block in answer["blocks"]]
    assert (
        starts
        == {
            "before": [],
            "now": ["2027-05-03T10:00:00Z"],
            "after": ["2027-05-03T11:00:00Z"],
        }[moment]
    )
    assert answer["seq"] == 1
