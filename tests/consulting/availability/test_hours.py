"""13:00 stays 13:00: the conversion of local hours to UTC on every date in every time zone."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from handlers.consulting.availability.contracts.blocks import WeeklyBlock
from handlers.consulting.availability.service.hours import instant_of, instants_of
from tests.consulting.availability.practice import daily, moment_of
from tests.world import one_database

ZONES = st.sampled_from(sorted(available_timezones()))
DAYS = st.dates(date(2025, 1, 1), date(2045, 12, 31))
HOURS = st.integers(0, 23)
MINUTE = timedelta(minutes=1)
LONGEST_CLOCK_CHANGE = timedelta(hours=25)


def local_time(instant, zone):
    """The local time at an instant, without its time zone."""
    return instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


@settings(max_examples=400, deadline=None)
@given(DAYS, HOURS, ZONES)
@example(date(2026, 3, 29), 2, "Europe/Berlin")
@example(date(2026, 10, 25), 2, "Europe/Berlin")
@example(date(2026, 10, 4), 2, "Australia/Lord_Howe")
@example(date(2026, 4, 5), 1, "Australia/Lord_Howe")
@example(date(2026, 9, 6), 0, "America/Santiago")
def test_a_local_hour_keeps_its_time_or_moves_forward_over_a_gap(day, hour, zone):
    wanted = datetime.combine(day, time(hour))
    instant = instant_of(day, hour, zone)
    candidates = instants_with_local_time(wanted, zone)
    if candidates:
        assert instant == candidates[0], "an hour that comes twice is the first"
    else:
        gap = gap_at(wanted, zone)
        assert local_time(instant, zone) == wanted + gap, (
            "an hour that does not exist moves forward"
        )


def instants_with_local_time(wanted, zone):
    """Every instant whose local time is `wanted`, from the UTC offsets around it."""
    around = wanted.replace(tzinfo=UTC)
    offsets = {
        (around + LONGEST_CLOCK_CHANGE * side).astimezone(ZoneInfo(zone)).utcoffset()
        for side in (-1, 0, 1)
    }
    found = {around - offset for offset in offsets}
    return sorted(instant for instant in found if local_time(instant, zone) == wanted)


def gap_at(wanted, zone):
    """The length of the clock change that skips `wanted`."""
    before = wanted.replace(tzinfo=UTC) - LONGEST_CLOCK_CHANGE
    after = wanted.replace(tzinfo=UTC) + LONGEST_CLOCK_CHANGE
    zone_info = ZoneInfo(zone)
    return after.astimezone(zone_info).utcoffset() - before.astimezone(zone_info).utcoffset()


@settings(max_examples=150, deadline=None)
@given(DAYS, ZONES, st.lists(st.tuples(st.integers(0, 6), HOURS, st.integers(1, 60))))
def test_hours_at_the_same_instant_make_one_block_with_the_larger_max_calls(day, zone, hours):
    monday = day - timedelta(days=day.weekday())
    wanted: dict[datetime, list[int]] = {}
    for weekday, hour, max_calls in hours:
        start = instant_of(monday + timedelta(days=weekday), hour, zone)
        wanted.setdefault(start, []).append(max_calls)
    blocks = [WeeklyBlock(*hour) for hour in hours]
    expected = {start: max(counts) for start, counts in wanted.items()}
    assert instants_of(blocks, zone, monday) == expected


async def set_week(consultant, zone, blocks):
    answer = await consultant.call(
        "/availability", "set_default_schedule", time_zone=zone, blocks=blocks
    )
    return answer["blocks"]


@pytest.mark.parametrize(
    ("zone", "today"),
    [
        ("Europe/Berlin", datetime(2026, 10, 14, 9, tzinfo=UTC)),
        ("America/New_York", datetime(2027, 3, 1, 9, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 9, 20, 9, tzinfo=UTC)),
        ("Asia/Kathmandu", datetime(2026, 10, 14, 9, tzinfo=UTC)),
    ],
)
@one_database
async def test_blocks_at_13_00_stay_at_13_00_when_the_clocks_change(world, zone, today):
    world.clock.move_to(today)
    clara = await world.person("clara", consultant=True)
    blocks = await set_week(clara, zone, daily(13, max_calls=2))
    starts = [moment_of(block["starts_at"]) for block in blocks]
    assert {local_time(start, zone).time() for start in starts} == {time(13)}
    days = [local_time(start, zone).date() for start in starts]
    assert days == [days[0] + timedelta(days=number) for number in range(len(days))]
    assert len(days) >= 28
    if zone != "Asia/Kathmandu":
        assert len({start.time() for start in starts}) == 2, "the clocks did change"
    lengths = {moment_of(b["ends_at"]) - moment_of(b["starts_at"]) for b in blocks}
    assert lengths == {timedelta(hours=1)}


async def test_a_skipped_hour_moves_forward_and_a_repeated_hour_is_the_first_one(world):
    world.clock.move_to(datetime(2027, 3, 15, 9, tzinfo=UTC))
    clara = await world.person("clara", consultant=True)
    sunday = [
        {"weekday": 6, "hour": 2, "max_calls": 5},
        {"weekday": 6, "hour": 3, "max_calls": 2},
    ]
    blocks = await set_week(clara, "Europe/Berlin", sunday)
    spring = [b for b in blocks if b["starts_at"].startswith("2027-03-28")]
    assert [(b["starts_at"], b["max_calls"]) for b in spring] == [("2027-03-28T01:00:00Z", 5)]
    world.clock.move_to(datetime(2027, 10, 15, 9, tzinfo=UTC))
    otto = await world.person("otto", consultant=True)
    blocks = await set_week(otto, "Europe/Berlin", sunday)
    autumn = [b["starts_at"] for b in blocks if b["starts_at"].startswith("2027-10-31")]
    assert autumn == ["2027-10-31T00:00:00Z", "2027-10-31T02:00:00Z"]
