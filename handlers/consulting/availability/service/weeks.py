"""Default weeks and overrides become blocks, ahead of time; no booking is lost unasked."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from handlers.consulting.availability.contracts import (
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
from handlers.consulting.availability.service import places
from handlers.consulting.availability.service.capacity import BLOCK, Wish, fit, make
from handlers.consulting.availability.service.hours import (
    WEEK,
    instants_of,
    monday_of,
    week_of,
    weeks_from,
)
from handlers.consulting.consultants import public as consultants
from handlers.kit.codes import check_zone
from handlers.kit.errors import Conflict, Invalid
from handlers.kit.transaction import Transaction
from storage.consulting.availability import schedules as store
from storage.consulting.availability.schedules import OverrideRow, ScheduleRow

TOP_UP_EVERY = timedelta(days=1)
OVERRIDES_AHEAD_WEEKS = 53


def set_default(tx: Transaction, ask: SetDefaultSchedule) -> BlocksView:
    """Keep the default week and bring the coming weeks in line; booked blocks stay."""
    check_zone("$.time_zone", ask.time_zone)
    consultants.lock_consultant(tx, tx.actor.id)
    hours = msgspec.to_builtins(ask.blocks)
    before = store.find_schedule(tx, tx.actor.id)
    store.keep_schedule(tx, ScheduleRow(tx.actor.id, ask.time_zone, hours))
    weeks = _in_sight(tx, ask.time_zone)
    changed = rebuild(tx, tx.actor.id, weeks, Wish(keeps_booked=True))
    if before is not None and before.time_zone != ask.time_zone:
        changed += _move_far_overrides(tx, tx.actor.id, weeks)
    if changed:
        tx.publish(DefaultScheduleSet(blocks=changed))
    top_up_later(tx, tx.actor.id)
    return list_weeks(tx, tx.actor.id, weeks)


def override(tx: Transaction, ask: OverrideWeek) -> BlocksView:
    """Keep one week's own hours; raises Conflict with the bookings that would lose their place."""
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
    """Make the blocks of the weeks that came into sight."""
    if not consultants.lock_consultant(tx, consultant_id):
        return
    zone = get_own_schedule(tx, consultant_id).time_zone
    weeks = _in_sight(tx, zone)
    changed = rebuild(tx, consultant_id, weeks, Wish(keeps_booked=True))
    if changed:
        tx.publish(DefaultScheduleSet(blocks=changed))
    top_up_later(tx, consultant_id)


def top_up_later(tx: Transaction, consultant_id: str) -> None:
    due = TopUpDue(consultant_id=consultant_id)
    tx.publish_later(due, tx.now + TOP_UP_EVERY, f"top_up:{consultant_id}")


def withdraw_free(tx: Transaction, consultant_id: str) -> None:
    """Take every future block away, those that are booked after their last booking.

    The consultant must be locked.
    """
    tx.cancel_timer(f"top_up:{consultant_id}")
    far = tx.now + timedelta(weeks=OVERRIDES_AHEAD_WEEKS + 1)
    rows = store.list_blocks(tx, consultant_id, tx.now, far, places.BLOCKS_MAX * 4)
    if told := fit(tx, rows, {}, Wish(keeps_booked=True)):
        tx.publish(DefaultScheduleSet(blocks=told))


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


def rebuild(tx: Transaction, consultant_id: str, weeks: list[str], wish: Wish) -> list[BlockView]:
    """Bring the blocks of `weeks` in line with the schedule; gives those that changed."""
    schedule = get_own_schedule(tx, consultant_id)
    bounds = _bounds(schedule.time_zone, weeks)
    return _bring_in_line(tx, consultant_id, _wanted(tx, schedule, weeks), bounds, wish)


def _move_far_overrides(tx: Transaction, consultant_id: str, weeks: list[str]) -> list[BlockView]:
    """The zone changed: what lies beyond `weeks` is at other instants now."""
    schedule = get_own_schedule(tx, consultant_id)
    _, first = _bounds(schedule.time_zone, weeks)
    after = week_of(first, schedule.time_zone)
    far = [own.week for own in store.list_overrides(tx, consultant_id, after)]
    wanted = _wanted(tx, schedule, far)
    bounds = (first, first + WEEK * OVERRIDES_AHEAD_WEEKS)
    return _bring_in_line(tx, consultant_id, wanted, bounds, Wish(keeps_booked=True))


def _bring_in_line(
    tx: Transaction,
    consultant_id: str,
    wanted: dict[datetime, int],
    bounds: tuple[datetime, datetime],
    wish: Wish,
) -> list[BlockView]:
    first, end = bounds
    rows = store.list_blocks(tx, consultant_id, max(first, tx.now), end, places.BLOCKS_MAX * 4)
    there = {row.starts_at: row for row in rows if first <= row.starts_at}
    changed = fit(tx, list(there.values()), wanted, wish)
    fresh = {at: calls for at, calls in wanted.items() if at not in there and at + BLOCK > tx.now}
    changed += make(tx, consultant_id, fresh)
    if wish.lost and not wish.cancels:
        raise Conflict("This change would cancel bookings.", details={"bookings": wish.lost})
    return sorted(changed, key=lambda view: view.starts_at)


def list_weeks(tx: Transaction, consultant_id: str, weeks: list[str]) -> BlocksView:
    """The blocks of these weeks that are not over, without cancelled ones."""
    first, end = _bounds(get_own_schedule(tx, consultant_id).time_zone, weeks)
    rows = store.list_blocks(tx, consultant_id, max(first, tx.now), end, places.BLOCKS_MAX)
    here = [row for row in rows if row.starts_at >= first and not row.cancelled]
    return BlocksView(blocks=[places.view_of(row) for row in here])


def get_own_schedule(tx: Transaction, consultant_id: str) -> ScheduleRow:
    """The schedule; an empty one in the consultant's zone while none is set."""
    found = store.find_schedule(tx, consultant_id)
    if found is not None:
        return found
    empty = ScheduleRow(consultant_id, consultants.get_time_zone(tx, consultant_id), [])
    store.keep_schedule(tx, empty)
    return empty


def hours_of(row: ScheduleRow | OverrideRow) -> list[WeeklyBlock]:
    return msgspec.convert(row.hours, list[WeeklyBlock])


def _change_week(tx: Transaction, week: str, cancels: bool) -> BlocksView:
    changed = rebuild(tx, tx.actor.id, [week], Wish(keeps_booked=False, cancels=cancels))
    if changed:
        tx.publish(WeeklyScheduleUpdated(blocks=changed))
    return list_weeks(tx, tx.actor.id, [week])


def _in_sight(tx: Transaction, zone: str) -> list[str]:
    """This week and the coming ones, for which the default week makes blocks."""
    return weeks_from(week_of(tx.now, zone), tx.rules.weeks_ahead + 1)


def _wanted(tx: Transaction, schedule: ScheduleRow, weeks: list[str]) -> dict[datetime, int]:
    """The starts in `weeks` with their `max_calls`; out of sight only overrides have any."""
    wanted: dict[datetime, int] = {}
    if not weeks or not consultants.is_active(tx, schedule.consultant_id):
        return wanted
    own = {o.week: o for o in store.list_overrides(tx, schedule.consultant_id, weeks[0])}
    in_sight = _in_sight(tx, schedule.time_zone)
    for week in weeks:
        if week not in own and week not in in_sight:
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
