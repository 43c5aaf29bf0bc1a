"""The expiry of requests without an answer, and the end of bookings in general.

The first transaction that finds an expired hold publishes the expiry and continues. The timer
ensures that this happens even if no other transaction looks.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

from handlers.consulting.availability import public as availability
from handlers.consulting.booking.contracts import (
    AboutBooking,
    BookingCancelled,
    BookingExpired,
    BookingView,
    HoldDue,
    ReasonCode,
)
from handlers.consulting.booking.reasons import IN_ENGLISH
from handlers.consulting.booking.service import history
from handlers.kit.transaction import Transaction
from storage.consulting import booking as store
from storage.consulting.booking import BookingRow

FinalStatus = Literal["rejected", "cancelled", "expired", "completed", "missed"]


def expire_overdue(tx: Transaction, block_id: str) -> None:
    """Expire all requests for a block whose hold has expired."""
    for booking_id in store.list_overdue(tx, block_id, tx.now):
        expire_if_overdue(tx, booking_id)


def expire_if_overdue(tx: Transaction, booking_id: str) -> bool:
    """Expire a request if its hold has expired; returns whether it did."""
    row = store.lock_booking(tx, booking_id)
    if row is None or not is_overdue(tx, row):
        return False
    expire(tx, row)
    return True


def expire_when_due(tx: Transaction, booking_id: str) -> None:
    """Expire a request if its hold has expired; otherwise set the timer again.

    The timer can fire too early if the clock went back.
    """
    row = store.lock_booking(tx, booking_id)
    if row is not None and row.status == "requested":
        expire(tx, row) if is_overdue(tx, row) else expire_later(tx, row)


def expire_later(tx: Transaction, row: BookingRow) -> None:
    """Set a timer for the expiry of a request's hold."""
    if row.hold_expires_at is not None:
        due = HoldDue(booking_id=row.id)
        tx.publish_later(due, row.hold_expires_at, f"hold:{row.id}")


def expire(tx: Transaction, row: BookingRow) -> None:
    end(tx, row, "expired", None, BookingExpired)


def is_overdue(tx: Transaction, row: BookingRow) -> bool:
    return (
        row.status == "requested"
        and row.hold_expires_at is not None
        and row.hold_expires_at <= tx.now
    )


def call_off(tx: Transaction, row: BookingRow, code: ReasonCode) -> BookingView:
    """Cancel a live booking for a reason that the server gives."""
    cancelled = partial(BookingCancelled, reason_code=code)
    return end(tx, row, "cancelled", IN_ENGLISH[code], cancelled)


def end(
    tx: Transaction,
    row: BookingRow,
    status: FinalStatus,
    reason: str | None,
    event: Callable[..., AboutBooking],
) -> BookingView:
    """Move a live booking to a final status, and release its time and its place.

    The place of an hour that took place or was missed stays taken.
    """
    row.status, row.hold_expires_at = status, None
    view = history.change(tx, row, status, reason, event)
    availability.free_time(tx, row.student_id, row.id, row.starts_at, row.ends_at)
    store.free_instant(tx, row.id)
    tx.cancel_timer(f"hold:{row.id}")
    tx.cancel_timer(f"block_end:{row.id}")
    if row.block_id is not None and status not in ("completed", "missed"):
        availability.free_place(tx, row.block_id, row.id)
    return view
