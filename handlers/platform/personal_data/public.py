"""Functions about planned account deletions that other domains call in their own transactions."""

from handlers.kit.transaction import Transaction
from storage.platform.personal_data import tables as store


def hold_planned_deletion(tx: Transaction, user_id: str) -> bool:
    """Whether a deletion of this account is planned but not finished; locked until the commit."""
    row = store.lock_deletion(tx, user_id)
    return row is not None and row.erased_at is None
