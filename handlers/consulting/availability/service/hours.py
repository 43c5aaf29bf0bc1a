"""Converts local hours to UTC: 13:00 is 13:00 in its time zone on every date.

When the clocks change, an hour that does not exist moves forward, and an hour that occurs twice
means the first one. Two hours that become the same instant make one block with the larger
`max_calls`. If the clocks change by half an hour, an hour that moved can overlap the next one; then
it has no block.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from handlers.consulting.availability.contracts.blocks import WeeklyBlock
from handlers.kit.errors import Invalid

WEEK = timedelta(weeks=1)
BLOCK = timedelta(hours=1)


def instants_of(hours: Iterable[WeeklyBlock], zone: str, monday: date) -> dict[datetime, int]:
    """The starts (UTC) of one week's hours, mapped to their `max_calls`; they do not overlap."""
    real: dict[datetime, int] = {}
    moved: dict[datetime, int] = {}
    for hour in hours:
        day = monday + timedelta(days=hour.weekday)
        start = instant_of(day, hour.hour, zone)
        exists = start.astimezone(ZoneInfo(zone)).time() == time(hour.hour)
        starts = real if exists else moved
        starts[start] = max(hour.max_calls, starts.get(start, 0))
    for start, max_calls in moved.items():
        if start in real or not overlaps(start, real):
            real[start] = max(max_calls, real.get(start, 0))
    return real


def overlaps(start: datetime, starts: Iterable[datetime]) -> bool:
    """Whether the block that begins at `start` overlaps another one that begins at `starts`."""
    return any(abs(start - other) < BLOCK for other in starts if start != other)


def instant_of(day: date, hour: int, zone: str) -> datetime:
    """The instant of a local hour, in UTC.

    The default `fold=0` selects the first of two equal hours. For an hour that does not exist it
    uses the offset from before the change, so the local clock then shows a later hour.
    """
    return datetime.combine(day, time(hour), ZoneInfo(zone)).astimezone(UTC)


def week_of(moment: datetime, zone: str) -> str:
    """The ISO week of a moment in the time zone `zone`, such as `2026-W48`."""
    return week_name(moment.astimezone(ZoneInfo(zone)).date())


def week_name(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year:04d}-W{week:02d}"


def monday_of(week: str) -> date:
    """The first day of an ISO week; raises Invalid for a week that does not exist."""
    try:
        monday = date.fromisocalendar(int(week[:4]), int(week[6:]), 1)
    except ValueError:
        raise Invalid(details={"path": "$.week", "expected": "an ISO week"}) from None
    return monday


def weeks_from(first: str, count: int) -> list[str]:
    """`count` consecutive ISO weeks, starting with `first`."""
    monday = monday_of(first)
    return [week_name(monday + WEEK * number) for number in range(count)]
