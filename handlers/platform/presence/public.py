"""Functions on presence that other domains call inside their own transactions."""

from handlers.kit.transaction import Transaction
from storage.platform import presence as store


def is_seen_online(tx: Transaction, user_id: str) -> bool:
    """Whether others may see that this user is online.

    That needs a device that is connected, or was within the grace period, and a visible user.
    """
    row = store.list_presences(tx, [user_id]).get(user_id)
    return row is not None and row.online and not row.invisible


def is_invisible(tx: Transaction, user_id: str) -> bool:
    """Whether this user hides from others that they are online."""
    row = store.list_presences(tx, [user_id]).get(user_id)
    return row is not None and row.invisible
