"""Blocks: while one of two users blocks the other, neither can write to the other directly.

Invariant: a transaction that starts a block, or a direct conversation, first locks both users in
the order of their ids. So concurrent transactions see each other's block or conversation.
"""

from handlers.kit.contract import Empty
from handlers.kit.errors import Invalid, TooMany
from handlers.kit.transaction import Transaction
from handlers.platform.blocking import public as blocking
from handlers.platform.chat.contracts.personal import (
    Blocked,
    BlockedView,
    BlockPerson,
    PersonBlocked,
)
from handlers.platform.profile import public as profiles
from rooms import names
from storage.platform.chat import conversations as store
from storage.platform.chat import members as chat_members

BLOCKED_MAX = 1_000


def block(tx: Transaction, ask: BlockPerson) -> Empty:
    """Block or unblock a user; raises NotFound, TooMany or Invalid."""
    if ask.user_id == tx.actor.id:
        raise Invalid(details={"path": "$.user_id", "expected": "another user"})
    lock_both(tx, tx.actor.id, ask.user_id)
    if not _change(tx, ask):
        return Empty()
    if blocking.count_blocked(tx, tx.actor.id) > BLOCKED_MAX:
        raise TooMany("You have blocked the maximum number of users.")
    direct = store.find_direct(tx, direct_key(tx.actor.id, ask.user_id))
    if direct is not None:
        closed = blocking.is_block_between(tx, tx.actor.id, [ask.user_id])
        chat_members.close(tx, direct.id, closed)
    tx.publish(PersonBlocked(user_id=tx.actor.id, person_id=ask.user_id, on=ask.on))
    return Empty()


def list_blocked(tx: Transaction) -> BlockedView:
    return BlockedView(
        user_ids=blocking.list_blocked(tx, tx.actor.id),
        seq=tx.head("/chat", names.user(tx.actor.id)),
    )


def check_no_block(tx: Transaction, user_ids: list[str]) -> None:
    """Raises Blocked when the actor has blocked one of these users, or one of them the actor."""
    if blocking.is_block_between(tx, tx.actor.id, user_ids):
        raise Blocked


def lock_both(tx: Transaction, one_id: str, other_id: str) -> None:
    """Lock both users until the commit; raises NotFound."""
    for user_id in sorted((one_id, other_id)):
        profiles.hold_user(tx, user_id)


def direct_key(one_id: str, other_id: str) -> str:
    """The unique key of two users' direct conversation."""
    return ":".join(sorted((one_id, other_id)))


def _change(tx: Transaction, ask: BlockPerson) -> bool:
    if not ask.on:
        return blocking.delete_block(tx, tx.actor.id, ask.user_id)
    return blocking.insert_block(tx, tx.actor.id, ask.user_id, tx.now)
