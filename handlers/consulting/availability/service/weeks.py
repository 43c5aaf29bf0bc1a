"""Creates blocks from default weeks and overrides, some weeks ahead.

A booking is cancelled only on explicit request.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from handlers.consulting.availability.contracts.blocks import (
    BlocksView,
    BlockView,
    ClearOverride,
    DefaultScheduleSet,
    OverrideView,
    OverrideWeek,
    ScheduleView,
    SetDefaultSchedule,
    TopUpDue,
    WeeklyBlock,
    WeeklyScheduleUpdated,
)
from handlers.consulting.availability.rules import AvailabilityRules
from handlers.consulting.availability.service import places
from handlers.consulting.availability.service.capacity import BookingPolicy, fit, make_blocks
from handlers.consulting.availability.service.hours import (
    BLOCK,
    WEEK,
    instants_of,
    monday_of,
    overlaps,
    week_of,
    weeks_from,
)
from handlers.consulting.consultants import public as consultants
from handlers.kit.codes import check_zone
from handlers.kit.errors import Conflict, Invalid
from handlers.kit.transaction import Transaction
from storage.consulting.availability import schedules as store
from storage.consulting.availability.schedules import BlockRow, OverrideRow, ScheduleRow

TOP_UP_EVERY = timedelta(days=1)
OVERRIDES_AHEAD_WEEKS = 53


def set_default(tx: Transaction, ask: SetDefaultSchedule) -> BlocksView:
    """Save the default week and adjust the coming weeks; booked blocks stay."""
    check_zone("$.time_zone", ask.time_zone)
    consultants.lock_consultant(tx, tx.actor.id)
    hours = msgspec.to_builtins(ask.blocks)
    before = store.find_schedule(tx, tx.actor.id)
    store.keep_schedule(tx, ScheduleRow(tx.actor.id, ask.time_zone, hours))
    weeks = _planned_weeks(tx, ask.time_zone)
    changed = rebuild(tx, tx.actor.id, weeks, BookingPolicy(keeps_booked=True))
    if before is not None and before.time_zone != ask.time_zone:
        changed += _move_far_overrides(tx, tx.actor.id, weeks)
    if changed:
        tx.publish(DefaultScheduleSet(blocks=changed))
    top_up_later(tx, tx.actor.id)
    return list_weeks(tx, tx.actor.id, weeks)


def override(tx: Transaction, ask: OverrideWeek) -> BlocksView:
    """Save the hours of one week; raises Conflict with the bookings that would lose their place."""
    consultants.lock_consultant(tx, tx.actor.id)
    zone = get_own_schedule(tx, tx.actor.id).time_zone
    _check_week(tx, ask.week, zone)
    hours = msgspec.to_builtins(ask.blocks)
    store.keep_override(tx, OverrideRow(tx.actor.id, ask.week, hours))
    return _change_week(tx, ask.week, ask.cancel_bookings)


def clear(tx: Transaction, ask: ClearOverride) -> BlocksView:
    consultants.lock_consultant(tx, tx.actor.id)
    _check_week(tx, ask.week, get_own_schedule(tx, tx.actor.id).time_zone)
    store.clear_override(tx, tx.actor.id, ask.week)
    return _change_week(tx, ask.week, ask.cancel_bookings)


def top_up(tx: Transaction, consultant_id: str) -> None:
    """Create the blocks of the weeks that came within the planned range."""
    if not consultants.lock_consultant(tx, consultant_id):
        return
    zone = get_own_schedule(tx, consultant_id).time_zone
    weeks = _planned_weeks(tx, zone)
    changed = rebuild(tx, consultant_id, weeks, BookingPolicy(keeps_booked=True))
    if changed:
        tx.publish(DefaultScheduleSet(blocks=changed))
    top_up_later(tx, consultant_id)


def top_up_later(tx: Transaction, consultant_id: str) -> None:
    due = TopUpDue(consultant_id=consultant_id)
    tx.publish_later(due, tx.now + TOP_UP_EVERY, f"top_up:{consultant_id}")


def withdraw_free(tx: Transaction, consultant_id: str) -> None:
    """Withdraw every future block; a booked block is withdrawn after its last booking is gone.

    The consultant must be locked.
    """
    tx.cancel_timer(f"top_up:{consultant_id}")
    far = tx.now + timedelta(weeks=OVERRIDES_AHEAD_WEEKS + 1)
    rows = store.list_blocks(tx, consultant_id, tx.now, far, places.BLOCKS_MAX * 4)
    if changed := fit(tx, rows, {}, BookingPolicy(keeps_booked=True)):
        tx.publish(DefaultScheduleSet(blocks=changed))


def get_schedule(tx: Transaction) -> ScheduleView:
    row = store.find_schedule(tx, tx.actor.id)
    if row is None:
        return ScheduleView(time_zone=None, default=[], overrides=[])
    overrides = store.list_overrides(tx, tx.actor.id, week_of(tx.now, row.time_zone))
    return ScheduleView(
        time_zone=row.time_zone,
        default=hours_of(row),
        overrides=[OverrideView(week=one.week, blocks=hours_of(one)) for one in overrides],
    )


def rebuild(
    tx: Transaction, consultant_id: str, weeks: list[str], policy: BookingPolicy
) -> list[BlockView]:
    """Adjust the blocks of `weeks` to the schedule; returns the changed blocks."""
    schedule = get_own_schedule(tx, consultant_id)
    bounds = _bounds(schedule.time_zone, weeks)
    return _adjust_blocks(tx, consultant_id, _wanted(tx, schedule, weeks), bounds, policy)


def _move_far_overrides(tx: Transaction, consultant_id: str, weeks: list[str]) -> list[BlockView]:
    """Move the overrides after `weeks`, whose instants changed with the time zone."""
    schedule = get_own_schedule(tx, consultant_id)
    _, first = _bounds(schedule.time_zone, weeks)
    after = week_of(first, schedule.time_zone)
    far = [own.week for own in store.list_overrides(tx, consultant_id, after)]
    wanted = _wanted(tx, schedule, far)
    bounds = (first, first + WEEK * OVERRIDES_AHEAD_WEEKS)
    return _adjust_blocks(tx, consultant_id, wanted, bounds, BookingPolicy(keeps_booked=True))


def _adjust_blocks(
    tx: Transaction,
    consultant_id: str,
    wanted: dict[datetime, int],
    bounds: tuple[datetime, datetime],
    policy: BookingPolicy,
) -> list[BlockView]:
    first, end = bounds
    start, until = max(first, tx.now), end + BLOCK
    rows = store.list_blocks(tx, consultant_id, start, until, places.BLOCKS_MAX * 4)
    existing = {row.starts_at: row for row in rows if first <= row.starts_at < end}
    standing = [row.starts_at for row in rows if _stands(row, existing, wanted, policy)]
    wanted = {at: calls for at, calls in wanted.items() if not overlaps(at, standing)}
    changed = fit(tx, list(existing.values()), wanted, policy)
    fresh = {
        at: calls for at, calls in wanted.items() if at not in existing and at + BLOCK > tx.now
    }
    changed += make_blocks(tx, consultant_id, fresh)
    if policy.lost and not policy.cancels:
        raise Conflict("This change would cancel bookings.", details={"bookings": policy.lost})
    return sorted(changed, key=lambda view: view.starts_at)


def _stands(
    row: BlockRow,
    existing: Mapping[datetime, BlockRow],
    wanted: Mapping[datetime, int],
    policy: BookingPolicy,
) -> bool:
    """Whether an open block stays though it is not wanted: for its bookings, or in another week."""
    if row.cancelled or row.starts_at in wanted:
        return False
    return row.starts_at not in existing or (policy.keeps_booked and row.taken > 0)


def list_weeks(tx: Transaction, consultant_id: str, weeks: list[str]) -> BlocksView:
    """The blocks of these weeks that have not ended and are not cancelled."""
    first, end = _bounds(get_own_schedule(tx, consultant_id).time_zone, weeks)
    rows = store.list_blocks(tx, consultant_id, max(first, tx.now), end, places.BLOCKS_MAX)
    current = [row for row in rows if row.starts_at >= first and not row.cancelled]
    return BlocksView(blocks=places.views_of(tx, consultant_id, current))


def get_own_schedule(tx: Transaction, consultant_id: str) -> ScheduleRow:
    """The schedule; saves an empty one in the consultant's time zone if there is none."""
    found = store.find_schedule(tx, consultant_id)
    if found is not None:
        return found
    empty = ScheduleRow(consultant_id, consultants.get_time_zone(tx, consultant_id), [])
    store.keep_schedule(tx, empty)
    return empty


def hours_of(row: ScheduleRow | OverrideRow) -> list[WeeklyBlock]:
    return msgspec.convert(row.hours, list[WeeklyBlock])


def _change_week(tx: Transaction, week: str, cancels: bool) -> BlocksView:
    changed = rebuild(tx, tx.actor.id, [week], BookingPolicy(keeps_booked=False, cancels=cancels))
    if changed:
        tx.publish(WeeklyScheduleUpdated(blocks=changed))
    return list_weeks(tx, tx.actor.id, [week])


def _planned_weeks(tx: Transaction, zone: str) -> list[str]:
    """The current week and the coming weeks that get blocks from the default week."""
    return weeks_from(week_of(tx.now, zone), tx.rules.of(AvailabilityRules).weeks_ahead + 1)


def _wanted(tx: Transaction, schedule: ScheduleRow, weeks: list[str]) -> dict[datetime, int]:
    """The block starts in `weeks`, mapped to their `max_calls`.

    Beyond the planned weeks, only overrides have blocks.
    """
    wanted: dict[datetime, int] = {}
    if not weeks or not consultants.is_active(tx, schedule.consultant_id):
        return wanted
    own = {o.week: o for o in store.list_overrides(tx, schedule.consultant_id, weeks[0])}
    planned = _planned_weeks(tx, schedule.time_zone)
    for week in weeks:
        if week not in own and week not in planned:
            continue
        hours = hours_of(own.get(week, schedule))
        for start, max_calls in instants_of(hours, schedule.time_zone, monday_of(week)).items():
            wanted[start] = max(max_calls, wanted.get(start, 0))
    return wanted


def _bounds(zone: str, weeks: list[str]) -> tuple[datetime, datetime]:
    midnight = time(tzinfo=ZoneInfo(zone))
    first = datetime.combine(monday_of(weeks[0]), midnight)
    end = datetime.combine(monday_of(weeks[-1]) + WEEK, midnight)
    return first.astimezone(UTC), end.astimezone(UTC)


def _check_week(tx: Transaction, week: str, zone: str) -> None:
    monday = monday_of(week)
    this = monday_of(week_of(tx.now, zone))
    if not this <= monday <= this + WEEK * OVERRIDES_AHEAD_WEEKS:
        expected = f"this week or one of the next {OVERRIDES_AHEAD_WEEKS}"
        raise Invalid(details={"path": "$.week", "expected": expected})
