"""Saves changes of bookings: each has a version and a step of the history, with its own reason."""

from collections.abc import Callable

from handlers.consulting.booking.contracts import AboutBooking, BookingView, StepStatus
from handlers.consulting.booking.service.lists import view_of
from handlers.kit.transaction import Transaction
from storage.consulting import booking as store
from storage.consulting.booking import BookingRow, StepRow

BY_TIME = ("expired", "missed")
"""Nobody makes these changes, though the transaction of some user may be the first to see them."""


def begin(tx: Transaction, row: BookingRow) -> None:
    """Record the request itself, the first step."""
    _record(tx, row, "requested", None)


def change(
    tx: Transaction,
    row: BookingRow,
    status: StepStatus,
    reason: str | None,
    *events: Callable[..., AboutBooking],
    by_server: bool = False,
) -> BookingView:
    """Save a changed row as its next version, and publish `events` about it."""
    row.version += 1
    row.reason = reason
    store.update_booking(tx, row)
    _record(tx, row, status, reason, by_server=by_server)
    view = view_of(row)
    for event in events:
        tx.publish(event(booking=view))
    return view


def _record(
    tx: Transaction,
    row: BookingRow,
    status: StepStatus,
    reason: str | None,
    *,
    by_server: bool = False,
) -> None:
    actor_id = None if by_server or status in BY_TIME else tx.author_id
    step = StepRow(row.id, row.version, status, actor_id, reason, tx.now, row.starts_at)
    store.insert_step(tx, step)
