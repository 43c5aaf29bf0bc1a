"""Functions on blocks that other domains call inside their own transactions."""

from handlers.kit.transaction import Transaction
from storage.platform import blocking as store
from storage.platform.blocking import (
    count_blocked,
    delete_block,
    insert_block,
    is_block_between,
    list_blocked,
    list_blockers,
    list_separated,
)

__all__ = [
    "count_blocked",
    "delete_block",
    "has_blocked_actor",
    "insert_block",
    "is_block_between",
    "list_blocked",
    "list_blocked_by",
    "list_blockers",
    "list_separated",
]


def has_blocked_actor(tx: Transaction, user_id: str) -> bool:
    """Whether this user has blocked the actor; nobody has blocked a visitor."""
    return not tx.visitor and user_id in list_blockers(tx, tx.actor.id, [user_id])


def list_blocked_by(tx: Transaction, user_ids: list[str]) -> dict[str, frozenset[str]]:
    """The ids that each of these users has blocked, by user id."""
    found: dict[str, set[str]] = {user_id: set() for user_id in user_ids}
    for row in store.list_blocks_by(tx, user_ids):
        found[row.user_id].add(row.blocked_id)
    return {user_id: frozenset(blocked) for user_id, blocked in found.items()}
