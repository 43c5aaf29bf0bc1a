"""Nobody finds or books a consultant whose account is to be deleted."""

from handlers.consulting.consultants import consultants, service
from handlers.kit.transaction import Transaction


@consultants.personal_data.on_planned
def pause_consulting(tx: Transaction, user_id: str) -> None:
    """Pause, and remember how they consulted."""
    service.pause_for_deletion(tx, user_id)


@consultants.personal_data.on_restored
def go_on_consulting(tx: Transaction, user_id: str) -> None:
    """Let them consult as before."""
    service.resume_after_deletion(tx, user_id)


@consultants.personal_data.on_closing
def stop_consulting(tx: Transaction, user_id: str) -> None:
    """Take them out of lists and searches at once; the rows follow."""
    service.pause(tx, user_id)
