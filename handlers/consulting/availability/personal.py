"""Removes users from waiting lists when their account is deleted."""

from handlers.consulting.availability import availability
from handlers.consulting.availability.service.lists import leave_all
from handlers.kit.personal_data import Stage, more
from handlers.kit.transaction import Transaction


@availability.personal_data.withdraw(Stage.REQUESTS)
def leave_waiting_lists(tx: Transaction, user_id: str, limit: int) -> int:
    """Leave all waiting lists as soon as a deletion is planned."""
    return leave_all(tx, user_id, limit)


@availability.personal_data.erase(Stage.REQUESTS)
def leave_the_last_lists(tx: Transaction, user_id: str, after: str, limit: int) -> str | None:
    """Leave the lists that the user joined after the deletion was planned."""
    return more(leave_all(tx, user_id, limit), limit)
