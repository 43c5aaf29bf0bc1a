"""Default schedules and overrides: how they change blocks, and how they keep booked ones."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from storage.events.deliveries import Queue
from tests.consulting.availability.practice import (
    assert_refused,
    daily,
    events_in,
    follow,
    moment_of,
    open_practice,
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


def week_with(block, **changes):
    """A week with only the hour of `block`, with these changes."""
    start = moment_of(block["starts_at"])
    hour = {"weekday": start.weekday(), "hour": start.hour, "max_calls": block["max_calls"]}
    return [{**hour, **changes}]


async def test_changing_the_default_week_replaces_free_blocks_and_keeps_booked_ones(world):
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
    event_data = (await clara.event("DEFAULT_SCHEDULE_SET", lambda d: len(d["blocks"]) > 60)).data
    assert set(event_data) == {"blocks"}
    await watcher.assert_in_sync()
    current = await sam.call("/booking", "get", booking_id=booking["id"])
    assert current["status"] == "approved"
    await sam.call("/booking", "cancel", booking_id=booking["id"])
    await watcher.assert_in_sync()
    await set_week(practice, daily(10, 14, max_calls=2))
    assert (await practice.block(1))["status"] == "available"
    assert (await practice.block())["max_calls"] == 2
    await watcher.assert_in_sync()


async def test_setting_the_same_week_again_changes_and_publishes_nothing(world):
    practice = await open_practice(world)
    before = await practice.list_blocks(practice.consultant)
    await set_week(practice, daily(10, 14))
    assert await practice.list_blocks(practice.consultant) == before
    assert len(await world.stored("DEFAULT_SCHEDULE_SET")) == 1


async def test_an_override_changes_one_week_until_it_is_cleared(world):
    practice = await open_practice(world)
    watcher = await follow(practice)
    clara = practice.consultant
    week = week_of(practice.blocks[14])
    hour = {"weekday": 2, "hour": 7, "max_calls": 4}
    answer = await override(practice, week, [hour])
    assert len(answer["blocks"]) == 1
    assert answer["blocks"][0]["max_calls"] == 4
    assert moment_of(answer["blocks"][0]["starts_at"]).hour == 7
    changed = (await clara.event("WEEKLY_SCHEDULE_UPDATED")).data["blocks"]
    assert {week_of(block) for block in changed} == {week}
    assert sum(block["status"] == "cancelled" for block in changed) == 14
    await watcher.assert_in_sync()
    assert await clara.call(NAMESPACE, "get_schedule") == {
        "time_zone": "UTC",
        "default": daily(10, 14),
        "overrides": [{"week": week, "blocks": [hour]}],
    }
    await set_week(practice, daily(11))
    blocks = (await practice.list_blocks(clara))["blocks"]
    in_week = [b for b in blocks if week_of(b) == week and b["status"] != "cancelled"]
    assert [b["id"] for b in in_week] == [answer["blocks"][0]["id"]], "the override still holds"
    cleared = await clara.call(NAMESPACE, "clear_override", week=week)
    assert {moment_of(b["starts_at"]).hour for b in cleared["blocks"]} == {11}
    assert len(cleared["blocks"]) == 7
    assert (await clara.call(NAMESPACE, "get_schedule"))["overrides"] == []
    await watcher.assert_in_sync()


async def test_an_override_lists_conflicting_bookings_and_cancels_them_on_request(world):
    practice = await open_practice(world, max_calls=2)
    watcher = await follow(practice)
    sam, tom, una = [await world.person(name) for name in ("sam", "tom", "una")]
    first, second = practice.blocks[6], practice.blocks[7]
    week = week_of(first)
    kept = await practice.booked(sam, 6)
    lost = [await practice.booked(tom, 6), await practice.ask(una, 7)]
    shrunk = week_with(first, max_calls=1)
    before = await practice.list_blocks(sam)
    refusal = await assert_refused(override(practice, week, shrunk), "CONFLICT")
    assert sorted((refusal.details or {})["bookings"]) == sorted(booking["id"] for booking in lost)
    assert await practice.list_blocks(sam) == before, "a refusal changes nothing"
    assert (await practice.consultant.call(NAMESPACE, "get_schedule"))["overrides"] == []
    await override(practice, week, shrunk, cancel_bookings=True)
    await world.settle()
    for student, booking in ((tom, lost[0]), (una, lost[1])):
        event = await student.event("BOOKING_CANCELLED")
        assert event.data["booking"]["id"] == booking["id"]
        assert event.data["booking"]["reason"]
    assert (await sam.call("/booking", "get", booking_id=kept["id"]))["status"] == "approved"
    now = await practice.block_of(first["id"])
    assert (now["taken"], now["max_calls"], now["status"]) == (1, 1, "full")
    assert (await practice.block_of(second["id"]))["status"] == "cancelled"
    assert len(practice.consultant.events("BOOKING_CANCELLED")) == 2
    assert len(await world.stored("BOOKING_CANCELLED")) == 2
    await watcher.assert_in_sync()


async def test_clearing_an_override_cancels_bookings_only_on_request(world):
    practice = await open_practice(world)
    week = week_of(practice.blocks[14])
    extra = (await override(practice, week, [{"weekday": 2, "hour": 7, "max_calls": 1}]))["blocks"]
    sam = await world.person("sam")
    booking = await sam.call(
        "/booking", "request", block_id=extra[0]["id"], topic_id=practice.topic["id"]
    )
    call = practice.consultant.call
    refusal = await assert_refused(call(NAMESPACE, "clear_override", week=week), "CONFLICT")
    assert (refusal.details or {})["bookings"] == [booking["id"]]
    await call(NAMESPACE, "clear_override", week=week, cancel_bookings=True)
    await world.settle()
    assert (await sam.event("BOOKING_CANCELLED")).data["booking"]["id"] == booking["id"]


async def test_changing_the_time_zone_also_moves_overrides_far_ahead(world):
    practice = await open_practice(world)
    far = (world.clock.now() + timedelta(weeks=12)).isocalendar()
    week = f"{far.year}-W{far.week:02d}"
    await override(practice, week, [{"weekday": 2, "hour": 13, "max_calls": 1}])
    await set_week(practice, [], "Asia/Tokyo")
    blocks = (await practice.list_blocks(practice.consultant))["blocks"]
    open_blocks = [block for block in blocks if block["status"] == "available"]
    starts = [moment_of(block["starts_at"]) for block in open_blocks]
    assert [start.astimezone(ZoneInfo("Asia/Tokyo")).hour for start in starts] == [13]


async def test_blocks_for_the_coming_weeks_are_created_daily(world):
    practice = await open_practice(world, hours=(10,))
    watcher = await follow(practice)
    last = moment_of(practice.blocks[-1]["starts_at"])
    for _ in range(8):
        world.clock.advance(86_400)
        await world.settle()
    blocks = (await practice.list_blocks(practice.consultant))["blocks"]
    assert moment_of(blocks[-1]["starts_at"]) >= last + timedelta(days=7)
    difference = {block["id"] for block in blocks} ^ {b["id"] for b in watcher.snapshot["blocks"]}
    assert difference, "time went on"
    events = events_in(watcher.client, NAMESPACE, practice.room)
    assert {event.name for event in events} == {"DEFAULT_SCHEDULE_SET"}


async def test_stopping_withdraws_free_blocks_until_the_consultant_returns(world):
    practice = await open_practice(world)
    watcher = await follow(practice)
    clara, sam = practice.consultant, await world.person("sam")
    booking = await practice.booked(sam)
    await clara.call("/consultants", "stop")
    await world.settle()
    await watcher.assert_in_sync()
    statuses = [b["status"] for b in (await practice.list_blocks(sam))["blocks"]]
    assert statuses.count("full") == 1
    assert statuses.count("cancelled") == len(statuses) - 1
    assert (await sam.call("/booking", "get", booking_id=booking["id"]))["status"] == "approved"
    await assert_refused(clara.call(NAMESPACE, "set_available_now", available=True), "FORBIDDEN")
    assert await set_week(practice, daily(10, 15)) == {"blocks": [await practice.block()]}
    about = {"about_me": "Again.", "languages": ["en"], "country": "DE", "time_zone": "UTC"}
    await clara.call("/consultants", "become", **about)
    await world.settle()
    await watcher.assert_in_sync()
    assert (await practice.block(2))["status"] == "available"
    await sam.call("/booking", "cancel", booking_id=booking["id"])
    assert (await practice.block())["status"] == "available"


async def test_stopping_and_returning_at_once_keeps_the_week(world, monkeypatch):
    """The event of the stop is processed after that of the return."""
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
async def test_malformed_weeks_hours_time_zones_and_ranges_are_invalid(world):
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
        await assert_refused(override(practice, week, []), "INVALID")
    for wrong in (
        [{"weekday": 7, "hour": 1, "max_calls": 1}],
        [{"weekday": 0, "hour": 24, "max_calls": 1}],
        [{"weekday": 0, "hour": 1, "max_calls": 0}],
        [{"weekday": 0, "hour": 1}],
    ):
        await assert_refused(set_week(practice, wrong), "INVALID")
    await assert_refused(set_week(practice, [], "Mars/Olympus"), "INVALID")
    now = practice.world.clock.now()
    for start, end in ((now, now), (now, now + timedelta(days=100)), ("today", now)):
        span = {"from": str(start).replace(" ", "T"), "to": end.isoformat()}
        listing = clara.call(NAMESPACE, "list_blocks", consultant_id=clara.id, **span)
        await assert_refused(listing, "INVALID")


@one_database
async def test_only_consultants_can_use_schedule_commands(world):
    sam, visitor = await world.person("sam"), await world.visitor(NAMESPACE)
    for command, payload in (
        ("set_default_schedule", {"time_zone": "UTC", "blocks": []}),
        ("override_week", {"week": "2027-W01", "blocks": []}),
        ("clear_override", {"week": "2027-W01"}),
        ("get_schedule", {}),
        ("set_available_now", {"available": True}),
    ):
        await assert_refused(sam.call(NAMESPACE, command, **payload), "FORBIDDEN")
        await assert_refused(visitor.call(NAMESPACE, command, **payload), "FORBIDDEN")
    for command in ("join_waiting_list", "leave_waiting_list"):
        await assert_refused(visitor.call(NAMESPACE, command, block_id=sam.id), "FORBIDDEN")
        await assert_refused(sam.call(NAMESPACE, command, block_id=sam.id), "NOT_FOUND")
    clara = await world.person("clara", consultant=True)
    schedule = await clara.call(NAMESPACE, "get_schedule")
    assert (schedule["default"], schedule["overrides"]) == ([], [])


@pytest.mark.parametrize("moment", ["before", "now", "after"])
@one_database
async def test_list_blocks_returns_the_blocks_that_overlap_the_range(world, moment):
    world.clock.move_to(datetime(2027, 5, 3, 10, 30, tzinfo=UTC))
    practice = await open_practice(world, hours=(10, 11))
    visitor = await world.visitor(NAMESPACE)
    span = {
        "before": ("2027-05-03T09:00:00Z", "2027-05-03T10:00:00Z"),
        "now": ("2027-05-03T10:30:00Z", "2027-05-03T11:00:00Z"),
        "after": ("2027-05-03T11:00:00Z", "2027-05-04T10:00:00Z"),
    }[moment]
    target = {"consultant_id": practice.consultant.id}
    answer = await visitor.call(
        NAMESPACE, "list_blocks", **target, **{"from": span[0], "to": span[1]}
    )
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
