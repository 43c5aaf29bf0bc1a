"""The bookings of an account that is to be deleted are cancelled."""

from handlers.consulting.booking import booking
from handlers.consulting.booking.service.answers import call_off_all
from handlers.kit.personal_data import Stage, more
from handlers.kit.transaction import Transaction


@booking.personal_data.withdraw(Stage.AGREEMENTS)
def call_off_bookings(tx: Transaction, user_id: str, limit: int) -> int:
    """Cancel what is still to come as soon as a deletion is planned."""
    reason = "The account of the other one is to be deleted."
    return call_off_all(tx, user_id, reason, limit)


@booking.personal_data.erase(Stage.AGREEMENTS)
def call_off_the_last_bookings(tx: Transaction, user_id: str, after: str, limit: int) -> str | None:
    """Cancel what was booked between the plan and the end."""
    reason = "The account of the other one was deleted."
    return more(call_off_all(tx, user_id, reason, limit), limit)
