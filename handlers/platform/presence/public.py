"""Functions on presence that other domains call inside their own transactions."""

from handlers.kit.transaction import Transaction
from storage.platform import presence as store


def is_online(tx: Transaction, user_id: str) -> bool:
    """Whether a device of this user is connected, or was within the grace period."""
    row = store.list_presences(tx, [user_id]).get(user_id)
    return row is not None and row.online
