"""Answers to requests and changes of bookings: approve, reject, cancel, reschedule, complete."""

from handlers.consulting.availability import public as availability
from handlers.consulting.booking.contracts import (
    AnswerBooking,
    BlockEndDue,
    BookingApproved,
    BookingCancelled,
    BookingCompleted,
    BookingCreated,
    BookingRejected,
    BookingRescheduled,
    BookingView,
    Overlaps,
    RescheduleBooking,
    WrongState,
)
from handlers.consulting.booking.service import expiry
from handlers.consulting.booking.service.lists import view_of
from handlers.consulting.booking.service.requests import free_overdue_time
from handlers.consulting.call import public as calls
from handlers.kit.errors import Conflict, NotFound
from handlers.kit.transaction import Transaction
from storage.consulting import booking as store
from storage.consulting.booking import LIVE, BookingRow


def approve(tx: Transaction, ask: AnswerBooking) -> BookingView:
    """Confirm the place; an instant booking gets its call at once."""
    row = get_as_consultant(tx, ask, ("requested",))
    if row.block_id is not None and not availability.keep_place(tx, row.block_id, row.id):
        expiry.expire(tx, row)  # the hold expired while we waited for the lock
        raise WrongState(details={"status": "expired"}).kept()
    row.status, row.hold_expires_at, row.reason = "approved", None, ask.reason
    row.version += 1
    store.update_booking(tx, row)
    tx.cancel_timer(f"hold:{row.id}")
    view = view_of(row)
    tx.publish(BookingApproved(booking=view))
    tx.publish(BookingCreated(booking=view))
    if row.block_id is None:
        calls.initiate(tx, row.id, row.student_id, row.consultant_id)
    else:
        end_with_block(tx, row)
    return view


def reject(tx: Transaction, ask: AnswerBooking) -> BookingView:
    row = get_as_consultant(tx, ask, ("requested",))
    return expiry.end(tx, row, "rejected", ask.reason, BookingRejected)


def cancel(tx: Transaction, ask: AnswerBooking) -> BookingView:
    row = get_as_party(tx, ask, LIVE)
    view = expiry.end(tx, row, "cancelled", ask.reason, BookingCancelled)
    calls.end_for_booking(tx, row.id)
    return view


def cancel_all(tx: Transaction, user_id: str, reason: str, limit: int) -> int:
    """Cancel at most `limit` live bookings of a user, in either role; returns the number found."""
    rows = [one for status in LIVE for one in store.list_bookings(tx, user_id, status, "~", limit)]
    for one in rows[:limit]:
        row = store.lock_booking(tx, one.id)
        if row is not None and row.status in LIVE and not expiry.expire_if_overdue(tx, row.id):
            expiry.end(tx, row, "cancelled", reason, BookingCancelled)
            calls.end_for_booking(tx, row.id)
    return len(rows[:limit])


def cancel_withdrawn(tx: Transaction, booking_id: str, block_id: str) -> None:
    """Cancel a live booking whose place in this block was withdrawn, unless it moved meanwhile."""
    row = store.lock_booking(tx, booking_id)
    if row is None or row.status not in LIVE or row.block_id != block_id:
        return
    if availability.has_place(tx, block_id, row.id):
        return  # the booking has a place in this block again
    reason = "The consultant withdrew this hour."
    expiry.end(tx, row, "cancelled", reason, BookingCancelled)
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
    old_block_id = row.block_id
    expiry.expire_overdue(tx, block.id)
    availability.lock_blocks(tx, old_block_id, block.id)
    _take_new_place(tx, row, block.id)
    store.free_time(tx, row.id)
    free_overdue_time(tx, row, block.starts_at, block.ends_at)
    if not store.take_quarters(tx, row.student_id, row.id, block.starts_at, block.ends_at):
        raise Overlaps
    row.starts_at, row.ends_at, row.block_id = block.starts_at, block.ends_at, block.id
    row.version += 1
    store.update_booking(tx, row)
    availability.free_place(tx, old_block_id, row.id)
    view = view_of(row)
    tx.publish(BookingRescheduled(booking=view))
    return view


def _take_new_place(tx: Transaction, row: BookingRow, block_id: str) -> None:
    """Hold a place in the new block, firm or with an expiry as in the old one."""
    block = availability.find_block(tx, block_id)
    if row.status == "approved":
        availability.hold_place(tx, block_id, row.id, row.student_id, None)
        row.ends_at = block.ends_at
        end_with_block(tx, row)
    else:
        expires_at = min(row.created_at + tx.rules.span("request_hold_s"), block.ends_at)
        availability.hold_place(tx, block_id, row.id, row.student_id, expires_at)
        row.hold_expires_at = expires_at
        expiry.expire_later(tx, row)


def complete(tx: Transaction, booking_id: str) -> None:
    """Complete an approved booking, whose call took place and ended."""
    row = store.lock_booking(tx, booking_id)
    if row is not None and row.status == "approved":
        expiry.end(tx, row, "completed", None, BookingCompleted)


def note_held(tx: Transaction, booking_id: str) -> None:
    """Record that both participants joined the booking's call."""
    row = store.lock_booking(tx, booking_id)
    if row is not None and not row.call_held:
        row.call_held = True
        store.update_booking(tx, row)


def complete_if_held(tx: Transaction, booking_id: str) -> None:
    """Complete the booking after its block, if its call took place and is not still open."""
    row = store.lock_booking(tx, booking_id)
    if row is not None and row.call_held and not calls.is_going_on(tx, booking_id):
        complete(tx, booking_id)


def cancel_unheld(tx: Transaction, booking_id: str) -> None:
    """Cancel an instant booking whose only call did not take place.

    A booking with a block can have another call.
    """
    row = store.lock_booking(tx, booking_id)
    if row is not None and row.status == "approved" and row.block_id is None:
        reason = "The call did not take place."
        expiry.end(tx, row, "cancelled", reason, BookingCancelled)


def end_with_block(tx: Transaction, row: BookingRow) -> None:
    tx.publish_later(BlockEndDue(booking_id=row.id), row.ends_at, f"block_end:{row.id}")


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


def _checked(
    tx: Transaction, row: BookingRow, version: int | None, states: tuple[str, ...]
) -> BookingRow:
    """The row, in one of `states`; raises WrongState, or Conflict for an old version."""
    if expiry.is_overdue(tx, row):
        expiry.expire_if_overdue(tx, row.id)
        raise WrongState(details={"status": "expired"}).kept()
    if row.status not in states:
        raise WrongState(details={"status": row.status})
    if version is not None and version != row.version:
        raise Conflict("The booking changed in the meantime.", details={"version": row.version})
    return row
