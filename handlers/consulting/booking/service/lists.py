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
from handlers.kit.paging import LAST_ID, cursor_of, fitting, position_of
from handlers.kit.transaction import Transaction
from rooms import names
from storage.consulting import booking as store
from storage.consulting.booking import BookingRow

NEWEST, BY_HOUR = "/booking list", "/booking list by hour"
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
LATEST = (datetime.max.replace(tzinfo=UTC), LAST_ID)


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
        next=_cursor(tx, ask.part, page[-1]) if len(rows) > len(page) else None,
        seq=tx.head("/booking", names.user(tx.actor.id)),
    )


def _list_newest(tx: Transaction, ask: ListBookings) -> list[BookingRow]:
    (before,) = position_of(tx, NEWEST, ask.before) or (LAST_ID,)
    return store.list_bookings(tx, tx.actor.id, ask.status, before, ask.limit + 1)


def _list_part(tx: Transaction, ask: ListBookings, part: Part) -> list[BookingRow]:
    after = None
    if (position := position_of(tx, f"{BY_HOUR} {part}", ask.before)) is not None:
        starts_at, booking_id = position
        after = (datetime.fromisoformat(starts_at), booking_id)
    return list_rows(tx, tx.actor.id, part, after, ask.limit + 1)


def list_rows(
    tx: Transaction, user_id: str, part: Part, after: tuple[datetime, str] | None, limit: int
) -> list[BookingRow]:
    """A page of a part; `after` is the start and the id of the booking before the first one."""
    if after is None:
        # No hour is as long as a day, so coming ones began less than a day ago.
        after = LATEST if part == "past" else (tx.now - timedelta(days=1), "")
    return store.list_by_hour(tx, user_id, part, tx.now, after, limit)


def _cursor(tx: Transaction, part: Part | None, last: BookingRow) -> str:
    if part is None:
        return cursor_of(tx, NEWEST, last.id)
    return cursor_of(tx, f"{BY_HOUR} {part}", last.starts_at.isoformat(), last.id)


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
