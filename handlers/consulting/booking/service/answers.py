"""Answers to requests and changes of bookings: approve, reject, cancel, reschedule."""

from handlers.consulting.availability import public as availability
from handlers.consulting.availability.contracts.blocks import BlockView
from handlers.consulting.booking.contracts import (
    AnswerBooking,
    BookingCancelled,
    BookingRejected,
    BookingRescheduled,
    BookingView,
    Overlaps,
    ReasonCode,
    RescheduleBooking,
    WrongState,
)
from handlers.consulting.booking.service import agreed, approval, expiry, history, hours
from handlers.consulting.booking.service.lists import view_of
from handlers.consulting.booking.service.requests import free_overdue_time
from handlers.consulting.call import public as calls
from handlers.kit.errors import Conflict, NotFound
from handlers.kit.transaction import Transaction
from handlers.platform.chat import public as chats
from storage.consulting import booking as store
from storage.consulting.booking import LIVE, BookingRow


def approve(tx: Transaction, ask: AnswerBooking) -> BookingView:
    """Confirm the place; an instant booking gets its call at once."""
    row = get_as_consultant(tx, ask, ("requested",))
    if row.block_id is not None and not availability.keep_place(tx, row.block_id, row.id):
        expiry.expire(tx, row)  # the hold expired while we waited for the lock
        raise WrongState(details={"status": "expired"}).kept()
    return approval.confirm(tx, row, ask.reason)


def reject(tx: Transaction, ask: AnswerBooking) -> BookingView:
    row = get_as_consultant(tx, ask, ("requested",))
    return expiry.end(tx, row, "rejected", ask.reason, BookingRejected)


def cancel(tx: Transaction, ask: AnswerBooking) -> BookingView:
    row = get_as_party(tx, ask, LIVE)
    row.fee_percent = agreed.cancellation_fee(tx, row)
    view = expiry.end(tx, row, "cancelled", ask.reason, BookingCancelled)
    calls.end_for_booking(tx, row.id)
    return view


def cancel_all(tx: Transaction, user_id: str, code: ReasonCode, limit: int) -> int:
    """Cancel at most `limit` live bookings of a user, in either role; returns the number found."""
    rows = [one for status in LIVE for one in store.list_bookings(tx, user_id, status, "~", limit)]
    for one in rows[:limit]:
        row = store.lock_booking(tx, one.id)
        if row is not None and row.status in LIVE and not _is_over(tx, row):
            expiry.call_off(tx, row, code)
            calls.end_for_booking(tx, row.id)
    return len(rows[:limit])


def cancel_withdrawn(tx: Transaction, booking_id: str, block_id: str) -> None:
    """Cancel a live booking whose place in this block was withdrawn, unless it moved meanwhile."""
    row = store.lock_booking(tx, booking_id)
    if row is None or row.status not in LIVE or row.block_id != block_id:
        return
    if hours.end_if_over(tx, row):
        return
    if availability.has_place(tx, block_id, row.id):
        return  # the booking has a place in this block again
    expiry.call_off(tx, row, "hour_withdrawn")
    calls.end_for_booking(tx, row.id)


def reschedule(tx: Transaction, ask: RescheduleBooking) -> BookingView:
    """Take the new place first, then release the old one; a refusal changes nothing."""
    row = get_as_party(tx, ask, LIVE)
    block = availability.find_block(tx, ask.block_id)
    if row.block_id is None or calls.is_going_on(tx, row.id):
        raise WrongState
    if block.consultant_id != row.consultant_id:
        raise NotFound
    if block.id == row.block_id:
        return view_of(row)
    _check_move(tx, row, block)
    old_block_id = row.block_id
    expiry.expire_overdue(tx, block.id)
    availability.lock_blocks(tx, old_block_id, block.id)
    _take_new_place(tx, row, block.id)
    availability.free_time(tx, row.student_id, row.id, row.starts_at, row.ends_at)
    free_overdue_time(tx, row, block.starts_at, block.ends_at)
    if not availability.take_time(tx, row.student_id, row.id, block.starts_at, block.ends_at):
        raise Overlaps
    row.starts_at, row.ends_at, row.block_id = block.starts_at, block.ends_at, block.id
    row.student_came_at = row.consultant_came_at = None
    view = history.change(tx, row, "rescheduled", None, BookingRescheduled)
    availability.free_place(tx, old_block_id, row.id)
    return view


def _check_move(tx: Transaction, row: BookingRow, block: BlockView) -> None:
    """Raises DeadlinePassed, TooFarAhead, BlockPast, or Blocked.

    A block binds both sides, the terms only the student: without a block, the consultant can move a
    booking into any hour that is not over.
    """
    by_student = tx.actor.id == row.student_id
    chats.check_no_block(tx, [row.consultant_id if by_student else row.student_id])
    if by_student:
        agreed.check_movable(tx, row)
        terms = availability.get_terms(tx, row.consultant_id)
        availability.check_bookable(tx, block, terms, row.minimal_duration_minutes)


def _take_new_place(tx: Transaction, row: BookingRow, block_id: str) -> None:
    """Hold a place in the new block, firm or with an expiry as in the old one."""
    block = availability.find_block(tx, block_id)
    if row.status == "approved":
        availability.hold_place(tx, block_id, row.id, row.student_id, None)
        row.ends_at = block.ends_at
        hours.end_later(tx, row)
    else:
        expires_at = min(row.created_at + tx.rules.span("request_hold_s"), block.ends_at)
        availability.hold_place(tx, block_id, row.id, row.student_id, expires_at)
        row.hold_expires_at = expires_at
        expiry.expire_later(tx, row)


def get_as_consultant(tx: Transaction, ask: AnswerBooking, states: tuple[str, ...]) -> BookingRow:
    row = store.lock_booking(tx, ask.booking_id)
    if row is None or row.consultant_id != tx.actor.id:
        raise NotFound
    return _checked(tx, row, ask.version, states)


def get_as_party(
    tx: Transaction, ask: AnswerBooking | RescheduleBooking, states: tuple[str, ...]
) -> BookingRow:
    row = store.lock_booking(tx, ask.booking_id)
    if row is None or tx.actor.id not in (row.student_id, row.consultant_id):
        raise NotFound
    return _checked(tx, row, ask.version, states)


def _is_over(tx: Transaction, row: BookingRow) -> bool:
    """Whether a live booking just ended by time: its request expired, or its hour is over."""
    return expiry.expire_if_overdue(tx, row.id) or hours.end_if_over(tx, row)


def _checked(
    tx: Transaction, row: BookingRow, version: int | None, states: tuple[str, ...]
) -> BookingRow:
    """The row, in one of `states`; raises WrongState, or Conflict for an old version."""
    if expiry.expire_if_overdue(tx, row.id):
        raise WrongState(details={"status": "expired"}).kept()
    if hours.end_if_over(tx, row):
        raise WrongState(details={"status": row.status}).kept()
    if row.status not in states or hours.is_over(tx, row):
        raise WrongState(details={"status": row.status})
    if version is not None and version != row.version:
        raise Conflict("The booking changed in the meantime.", details={"version": row.version})
    return row
