"""Cancels the bookings of users whose account is deleted."""

from handlers.consulting.booking import booking
from handlers.consulting.booking.service.answers import cancel_all
from handlers.kit.personal_data import Stage, more
from handlers.kit.transaction import Transaction


@booking.personal_data.withdraw(Stage.AGREEMENTS)
def call_off_bookings(tx: Transaction, user_id: str, limit: int) -> int:
    """Cancel all open bookings as soon as a deletion is planned."""
    return cancel_all(tx, user_id, "account_closing", limit)


@booking.personal_data.erase(Stage.AGREEMENTS)
def call_off_the_last_bookings(tx: Transaction, user_id: str, after: str, limit: int) -> str | None:
    """Cancel the bookings made after the deletion was planned."""
    return more(cancel_all(tx, user_id, "account_closed", limit), limit)
