"""The bookings that a user can see."""

from datetime import UTC, datetime, timedelta
from typing import cast

import msgspec

from handlers.consulting.booking.contracts import (
    BookingPage,
    BookingView,
    HistoryView,
    ListBookings,
    Part,
    Party,
    StepStatus,
    StepView,
)
from handlers.consulting.booking.service.agreed import terms_of
from handlers.kit.contract import Money
from handlers.kit.errors import Invalid, NotFound
from handlers.kit.paging import fitting
from handlers.kit.transaction import Transaction
from rooms import names
from storage.consulting import booking as store
from storage.consulting.booking import BookingRow

AFTER_ALL_IDS = "~"
_NOT_SHOWN = (
    "terms",
    "rate_amount",
    "rate_currency",
    "created_at",
    "call_held",
    "student_came_at",
    "consultant_came_at",
)
STEPS_MAX = 200
LATEST = (datetime.max.replace(tzinfo=UTC), AFTER_ALL_IDS)


def get_booking(tx: Transaction, booking_id: str) -> BookingView:
    row = store.find_booking(tx, booking_id)
    if row is None or tx.actor.id not in (row.student_id, row.consultant_id):
        raise NotFound
    return view_of(row)


def list_bookings(tx: Transaction, ask: ListBookings) -> BookingPage:
    if ask.part is not None and ask.status is not None:
        raise Invalid(details={"path": "$.part", "expected": "no `status` beside it"})
    rows = _list_part(tx, ask, ask.part) if ask.part else _list_newest(tx, ask)
    page = fitting(rows[: ask.limit], lambda row: len(row.note or "") + len(row.reason or ""))
    return BookingPage(
        bookings=[view_of(row) for row in page],
        next=page[-1].id if len(rows) > len(page) else None,
        seq=tx.head("/booking", names.user(tx.actor.id)),
    )


def _list_newest(tx: Transaction, ask: ListBookings) -> list[BookingRow]:
    before = ask.before or AFTER_ALL_IDS
    return store.list_bookings(tx, tx.actor.id, ask.status, before, ask.limit + 1)


def _list_part(tx: Transaction, ask: ListBookings, part: Part) -> list[BookingRow]:
    # No hour is as long as a day, so coming ones began less than a day ago.
    after = LATEST if part == "past" else (tx.now - timedelta(days=1), "")
    if ask.before is not None:
        last = store.find_booking(tx, ask.before)
        if last is None or tx.actor.id not in (last.student_id, last.consultant_id):
            expected = "the id of one of your bookings"
            raise Invalid(details={"path": "$.before", "expected": expected})
        after = (last.starts_at, last.id)
    return store.list_by_hour(tx, tx.actor.id, part, tx.now, after, ask.limit + 1)


def get_history(tx: Transaction, booking_id: str) -> HistoryView:
    """The latest `STEPS_MAX` changes of one of the actor's bookings."""
    get_booking(tx, booking_id)
    rows = store.list_steps(tx, booking_id, STEPS_MAX)
    steps = [
        StepView(
            version=row.version,
            status=cast(StepStatus, row.status),
            actor_id=row.actor_id,
            reason=row.reason,
            at=row.at,
            starts_at=row.starts_at,
        )
        for row in fitting(rows, lambda row: len(row.reason or ""))
    ]
    return HistoryView(steps=steps[::-1])


def view_of(row: BookingRow) -> BookingView:
    fields = msgspec.structs.asdict(row)
    shown = {name: value for name, value in fields.items() if name not in _NOT_SHOWN}
    came: dict[Party, datetime | None] = {
        "student": row.student_came_at,
        "consultant": row.consultant_came_at,
    }
    return BookingView(
        **shown,
        terms=terms_of(row),
        hourly_rate=Money(row.rate_amount, row.rate_currency),
        attended=[party for party, at in came.items() if at is not None],
    )
