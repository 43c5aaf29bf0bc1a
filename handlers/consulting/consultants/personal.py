"""Hides consultants whose account is about to be deleted, so that nobody finds or books them."""

from handlers.consulting.consultants import consultants, service
from handlers.kit.transaction import Transaction


@consultants.personal_data.on_planned
def pause_consulting(tx: Transaction, user_id: str) -> None:
    """Pause the consultant and save their status."""
    service.pause_for_deletion(tx, user_id)


@consultants.personal_data.on_restored
def go_on_consulting(tx: Transaction, user_id: str) -> None:
    """Restore the consultant's status."""
    service.resume_after_deletion(tx, user_id)


@consultants.personal_data.on_closing
def stop_consulting(tx: Transaction, user_id: str) -> None:
    """Remove the consultant from lists and searches at once; later steps delete the rows."""
    service.pause(tx, user_id)
