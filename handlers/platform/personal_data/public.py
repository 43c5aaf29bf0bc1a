"""Functions about planned account deletions that other domains call in their own transactions."""

from handlers.kit.transaction import Transaction
from handlers.platform.personal_data.contracts import DeletionPlanned
from storage.platform.personal_data import tables as store


def check_stays(tx: Transaction) -> None:
    """Raises DeletionPlanned if the actor's account is about to be deleted."""
    if hold_planned_deletion(tx, tx.actor.id):
        raise DeletionPlanned


def hold_planned_deletion(tx: Transaction, user_id: str) -> bool:
    """Whether a deletion of this account is planned but not finished; locked until the commit."""
    row = store.lock_deletion(tx, user_id)
    return row is not None and row.erased_at is None
