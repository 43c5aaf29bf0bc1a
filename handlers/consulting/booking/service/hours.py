"""The hour of an approved booking: who came, its calls, and its end as completed or missed.

Invariants:
- A booking is completed when a participant ends its call on purpose. A call that is lost or left
  leaves it approved until the hour ends, so both can return.
- The first transaction that finds an hour over ends its booking, unless a call still goes on. The
  timer ensures that this happens even if no other transaction looks.
"""

from handlers.consulting.booking.contracts import (
    BlockEndDue,
    BookingCompleted,
    BookingMissed,
    Party,
    ReopenCall,
    WrongState,
)
from handlers.consulting.booking.service import agreed, expiry
from handlers.consulting.call import public as calls
from handlers.consulting.call.contracts import CallView
from handlers.kit.errors import NotFound
from handlers.kit.transaction import Transaction
from storage.consulting import booking as store
from storage.consulting.booking import BookingRow


def end_later(tx: Transaction, row: BookingRow) -> None:
    """Set the timer for the end of the hour."""
    tx.publish_later(BlockEndDue(booking_id=row.id), row.ends_at, f"block_end:{row.id}")


def end_when_due(tx: Transaction, booking_id: str) -> None:
    """End the booking if its hour is over; if the timer fired too early, set it again."""
    row = store.lock_booking(tx, booking_id)
    if row is None or row.status != "approved":
        return
    if row.ends_at > tx.now:
        end_later(tx, row)
    else:
        end_if_over(tx, row)


def is_over(tx: Transaction, row: BookingRow) -> bool:
    """Whether the hour of an approved booking is over; its call may still go on."""
    return row.status == "approved" and row.ends_at <= tx.now


def end_if_over(tx: Transaction, row: BookingRow) -> bool:
    """End a locked booking whose hour is over and that has no call; returns whether it did."""
    if not is_over(tx, row) or calls.is_going_on(tx, row.id):
        return False
    if row.call_held:
        expiry.end(tx, row, "completed", None, BookingCompleted)
    else:
        row.fee_percent = agreed.no_show_fee(row)
        expiry.end(tx, row, "missed", None, BookingMissed)
    return True


def note_arrival(tx: Transaction, booking_id: str, party: Party) -> None:
    """Record that a party came; only the first time counts."""
    row = store.lock_booking(tx, booking_id)
    if row is None or row.status != "approved":
        return
    if party == "student" and row.student_came_at is None:
        row.student_came_at = tx.now
        store.update_booking(tx, row)
    if party == "consultant" and row.consultant_came_at is None:
        row.consultant_came_at = tx.now
        store.update_booking(tx, row)


def note_call(tx: Transaction, booking_id: str) -> None:
    """Record that both participants joined the booking's call."""
    row = store.lock_booking(tx, booking_id)
    if row is not None and row.status == "approved" and not row.call_held:
        row.call_held = True
        row.student_came_at = row.student_came_at or tx.now
        row.consultant_came_at = row.consultant_came_at or tx.now
        store.update_booking(tx, row)


def go_on_after_call(tx: Transaction, call: CallView) -> None:
    """After a call: complete the booking if a participant ended the call, or the hour is over.

    An instant booking whose call did not take place is cancelled. One with a block can have
    another call.
    """
    row = store.lock_booking(tx, call.booking_id)
    if row is None or row.status != "approved" or end_if_over(tx, row):
        return
    if call.started_at is not None and call.end_reason == "ended":
        expiry.end(tx, row, "completed", None, BookingCompleted)
    elif not row.call_held and row.block_id is None:
        expiry.call_off(tx, row, "call_not_held")


def reopen_call(tx: Transaction, ask: ReopenCall) -> CallView:
    """Open another call of a booking whose call was lost; raises WrongState or InCall."""
    row = store.lock_booking(tx, ask.booking_id)
    if row is None or tx.actor.id not in (row.student_id, row.consultant_id):
        raise NotFound
    if end_if_over(tx, row):
        raise WrongState(details={"status": row.status}).kept()
    if row.status != "approved" or not row.call_held or calls.is_going_on(tx, row.id):
        raise WrongState(details={"status": row.status})
    return calls.initiate(tx, row.id, row.student_id, row.consultant_id)
