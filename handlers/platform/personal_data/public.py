"""What other domains need to know of accounts that are to be deleted, in their own transaction."""

from handlers.kit.transaction import Transaction
from storage.platform.personal_data import tables as store


def hold_planned_deletion(tx: Transaction, user_id: str) -> bool:
    """Whether this account is to be deleted and is not yet; that stays so until the commit."""
    row = store.lock_deletion(tx, user_id)
    return row is not None and row.erased_at is None
