"""Functions on bookings that other domains call inside their own transactions."""

from handlers.consulting.booking.contracts import BookingView, Part
from handlers.consulting.booking.service.hours import note_arrival
from handlers.consulting.booking.service.ics import calendar_of
from handlers.consulting.booking.service.lists import get_booking, list_rows, view_of
from handlers.consulting.booking.service.requests import request_booking
from handlers.kit.transaction import Transaction
from storage.consulting import booking as store

__all__ = [
    "calendar_of",
    "find_block_id",
    "get_booking",
    "list_part",
    "lock_booking",
    "note_arrival",
    "note_consultant",
    "request_booking",
]


def list_part(tx: Transaction, user_id: str, part: Part, limit: int) -> list[BookingView]:
    """At most `limit` bookings of a part, in either role: the next ones, or the latest past."""
    return [view_of(row) for row in list_rows(tx, user_id, part, None, limit)]


def find_block_id(tx: Transaction, booking_id: str) -> str | None:
    """The block of a booking; None for an instant booking."""
    row = store.find_booking(tx, booking_id)
    return row.block_id if row else None


def lock_booking(tx: Transaction, booking_id: str) -> BookingView | None:
    """A booking of any user, locked until the commit; None if it does not exist."""
    row = store.lock_booking(tx, booking_id)
    return view_of(row) if row else None


def note_consultant(tx: Transaction, block_id: str) -> None:
    """Record that the consultant came to the approved bookings of this block."""
    store.note_consultant(tx, block_id, tx.now)
