"""Blocks: who is blocked says nothing to who blocked them, and the other way about.

Two people are locked in the order of their ids before a block between them, or their direct
conversation, begins: so neither misses the other.
"""

from handlers.kit.contract import Empty
from handlers.kit.errors import Invalid, TooMany
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.personal import (
    Blocked,
    BlockedView,
    BlockPerson,
    PersonBlocked,
)
from handlers.platform.profile import public as profiles
from rooms import names
from storage.platform.chat import blocks as chat_blocks
from storage.platform.chat import conversations as store
from storage.platform.chat import members as chat_members
from storage.platform.chat.blocks import BlockRow

BLOCKED_MAX = 1_000


def block(tx: Transaction, ask: BlockPerson) -> Empty:
    """BlockPerson a person, or no longer; raises NotFound, TooMany, Invalid."""
    if ask.user_id == tx.actor.id:
        raise Invalid(details={"path": "$.user_id", "expected": "another user"})
    lock_two(tx, tx.actor.id, ask.user_id)
    if not _change(tx, ask):
        return Empty()
    if chat_blocks.count_blocked(tx, tx.actor.id) > BLOCKED_MAX:
        raise TooMany("You have blocked the maximum number of users.")
    direct = store.find_direct(tx, direct_key(tx.actor.id, ask.user_id))
    if direct is not None:
        still = chat_blocks.is_block_between(tx, tx.actor.id, [ask.user_id])
        chat_members.close(tx, direct.id, still)
    tx.publish(PersonBlocked(user_id=tx.actor.id, person_id=ask.user_id, on=ask.on))
    return Empty()


def list_blocked(tx: Transaction) -> BlockedView:
    return BlockedView(
        user_ids=chat_blocks.list_blocked(tx, tx.actor.id),
        seq=tx.head("/chat", names.user(tx.actor.id)),
    )


def list_blocked_by(tx: Transaction, user_ids: list[str]) -> dict[str, frozenset[str]]:
    """Whom each of these people blocked, by their ids."""
    found: dict[str, set[str]] = {user_id: set() for user_id in user_ids}
    for row in chat_blocks.list_blocks_by(tx, user_ids):
        found[row.user_id].add(row.blocked_id)
    return {user_id: frozenset(blocked) for user_id, blocked in found.items()}


def check_no_block(tx: Transaction, user_ids: list[str]) -> None:
    """Raises Blocked when the actor blocked one of these people, or one of them the actor."""
    if chat_blocks.is_block_between(tx, tx.actor.id, user_ids):
        raise Blocked


def lock_two(tx: Transaction, one_id: str, other_id: str) -> None:
    """Hold both people until the commit; raises NotFound."""
    for user_id in sorted((one_id, other_id)):
        profiles.hold_user(tx, user_id)


def direct_key(one_id: str, other_id: str) -> str:
    """What their one direct conversation is known by."""
    return ":".join(sorted((one_id, other_id)))


def _change(tx: Transaction, ask: BlockPerson) -> bool:
    if not ask.on:
        return chat_blocks.delete_block(tx, tx.actor.id, ask.user_id)
    return chat_blocks.insert_block(tx, BlockRow(tx.actor.id, ask.user_id, tx.now))
