"""Members of conversations, with the sequence numbers at which they joined and left.

Invariant: all transactions of /chat lock in the same order: users, the conversation, memberships in
it, a message, sequence numbers.
"""

from handlers.kit.errors import Conflict, Invalid, NotFound
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.conversations import (
    ConversationOpened,
    ConversationView,
    TypingEphemeral,
)
from handlers.platform.chat.contracts.personal import Blocked
from handlers.platform.chat.contracts.rooms import chat_room
from handlers.platform.chat.service.blocks import check_no_block, direct_key, lock_both
from handlers.platform.chat.service.views import conversation_view
from handlers.platform.presence import public as presences
from handlers.platform.profile import public as profiles
from storage.platform.chat import conversations as store
from storage.platform.chat import members as chat_members
from storage.platform.chat.conversations import ConversationRow
from storage.platform.chat.members import Membership, Role


def open_direct(tx: Transaction, user_id: str) -> ConversationView:
    """The direct conversation of the actor and this user, created if there is none.

    Raises Invalid, NotFound, or Blocked when it would have to be created.
    """
    if user_id == tx.actor.id:
        raise Invalid(details={"path": "$.user_id", "expected": "another user"})
    profiles.get_user(tx, user_id)
    key = direct_key(tx.actor.id, user_id)
    found = store.find_direct(tx, key)
    if found is None:
        lock_both(tx, tx.actor.id, user_id)
        check_no_block(tx, [user_id])
        row = ConversationRow(tx.new_id(), "direct", None, key, tx.actor.id, tx.now, None)
        if store.insert_conversation(tx, row):
            return begin(tx, row, [tx.actor.id, user_id], tx.actor.id)
        found = store.find_direct(tx, key)  # a concurrent transaction created it
    if found is None:
        raise Conflict
    return conversation_view(tx, found, tx.head("/chat", chat_room(found.id)))


def find_typing(tx: Transaction, conversation_id: str) -> TypingEphemeral | None:
    """What others hear of the actor's typing: None while the actor is invisible.

    Raises NotFound or Blocked.
    """
    membership = chat_members.find_membership(tx, conversation_id, tx.actor.id)
    if membership is None:
        raise NotFound
    if membership.closed:
        raise Blocked
    if presences.is_invisible(tx, tx.actor.id):
        return None
    return TypingEphemeral(conversation_id, tx.actor.id)


def check_member(tx: Transaction, conversation_id: str) -> int:
    """The number from which the actor is a member; raises NotFound when they are not."""
    from_seq = chat_members.find_from_seq(tx, conversation_id, tx.actor.id)
    if from_seq is None:
        raise NotFound
    return from_seq


def hold_member(tx: Transaction, conversation_id: str) -> Membership:
    """The actor's membership, locked: a concurrent removal waits until the commit.

    Raises NotFound.
    """
    membership = chat_members.hold_membership(tx, conversation_id, tx.actor.id)
    if membership is None:
        raise NotFound
    return membership


def hold_speaker(tx: Transaction, conversation_id: str) -> Membership:
    """`hold_member` for an actor who writes; raises NotFound or Blocked."""
    membership = hold_member(tx, conversation_id)
    if membership.closed:
        raise Blocked
    return membership


def begin(
    tx: Transaction, row: ConversationRow, member_ids: list[str], opener_id: str
) -> ConversationView:
    """Add the first members and publish the conversation; the opener of a group owns it."""
    seq = tx.take_number("/chat", chat_room(row.id))
    owner_id = opener_id if row.kind == "group" else None
    roles: dict[str, Role] = {
        user_id: "owner" if user_id == owner_id else "member" for user_id in member_ids
    }
    chat_members.insert_members(tx, row.id, roles, seq)
    view = conversation_view(tx, row, seq)
    tx.publish(ConversationOpened(conversation=view, user_id=opener_id))
    return view
