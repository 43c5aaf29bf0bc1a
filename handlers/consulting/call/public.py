"""Functions on calls that other domains call inside their own transactions."""

from handlers.consulting.call import service
from handlers.consulting.call.contracts import CallView
from handlers.consulting.call.service import initiate
from handlers.kit.transaction import Transaction
from storage.consulting.call import calls as store

__all__ = ["end_for_booking", "find_live", "initiate", "is_going_on"]


def is_going_on(tx: Transaction, booking_id: str) -> bool:
    """Whether this booking has a call that has not ended."""
    return store.find_live_of_booking(tx, booking_id) is not None


def find_live(tx: Transaction, user_id: str) -> CallView | None:
    """The call of this user that has not ended, in either role."""
    rows = store.list_live_of_person(tx, user_id, 1)
    return service.view_of(tx, rows[0]) if rows else None


def end_for_booking(tx: Transaction, booking_id: str) -> None:
    """End the call of a cancelled booking."""
    row = store.lock_live_of_booking(tx, booking_id)
    if row is not None:
        service.end(tx, row, tx.now, "cancelled")
