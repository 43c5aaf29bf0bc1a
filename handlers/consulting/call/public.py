"""Functions on calls that other domains call inside their own transactions."""

from handlers.consulting.call import service
from handlers.consulting.call.service import initiate
from handlers.kit.transaction import Transaction
from storage.consulting import call as store

__all__ = ["end_for_booking", "initiate", "is_going_on"]


def is_going_on(tx: Transaction, booking_id: str) -> bool:
    """Whether this booking has a call that has not ended."""
    return store.find_live_of_booking(tx, booking_id) is not None


def end_for_booking(tx: Transaction, booking_id: str) -> None:
    """End the call of a cancelled booking."""
    row = store.lock_live_of_booking(tx, booking_id)
    if row is not None:
        service.end(tx, row, tx.now, "cancelled")
