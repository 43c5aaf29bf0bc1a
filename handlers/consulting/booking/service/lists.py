"""The bookings that a user can see."""

import msgspec

from handlers.consulting.booking.contracts import BookingPage, BookingView, ListBookings
from handlers.kit.contract import Money
from handlers.kit.errors import NotFound
from handlers.kit.paging import fitting
from handlers.kit.transaction import Transaction
from rooms import names
from storage.consulting import booking as store
from storage.consulting.booking import BookingRow

AFTER_ALL_IDS = "~"
_NOT_SHOWN = ("rate_amount", "rate_currency", "created_at", "call_held")


def get_booking(tx: Transaction, booking_id: str) -> BookingView:
    row = store.find_booking(tx, booking_id)
    if row is None or tx.actor.id not in (row.student_id, row.consultant_id):
        raise NotFound
    return view_of(row)


def list_bookings(tx: Transaction, ask: ListBookings) -> BookingPage:
    before = ask.before or AFTER_ALL_IDS
    rows = store.list_bookings(tx, tx.actor.id, ask.status, before, ask.limit + 1)
    page = fitting(rows[: ask.limit], lambda row: len(row.note or "") + len(row.reason or ""))
    return BookingPage(
        bookings=[view_of(row) for row in page],
        next=page[-1].id if len(rows) > len(page) else None,
        seq=tx.head("/booking", names.user(tx.actor.id)),
    )


def view_of(row: BookingRow) -> BookingView:
    fields = msgspec.structs.asdict(row)
    shown = {name: value for name, value in fields.items() if name not in _NOT_SHOWN}
    return BookingView(**shown, hourly_rate=Money(row.rate_amount, row.rate_currency))
