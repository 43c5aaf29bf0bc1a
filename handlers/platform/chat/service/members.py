"""Who is in a conversation, from which number to which.

All of /chat locks in one order: people, then a conversation, seats in it, a message, numbers.
"""

from handlers.kit.errors import Conflict, Invalid, NotFound
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.conversations import (
    ConversationOpened,
    ConversationView,
    TypingEphemeral,
)
from handlers.platform.chat.contracts.personal import Blocked
from handlers.platform.chat.service.blocks import check_no_block, direct_key, lock_two
from handlers.platform.chat.service.views import conversation_view
from handlers.platform.profile import public as profiles
from rooms import names
from storage.platform.chat import conversations as store
from storage.platform.chat import members as chat_members
from storage.platform.chat.conversations import ConversationRow
from storage.platform.chat.members import Role, Seat


def open_direct(tx: Transaction, user_id: str) -> ConversationView:
    """The one direct conversation of the actor and this person; raises Blocked before the first."""
    if user_id == tx.actor.id:
        raise Invalid(details={"path": "$.user_id", "expected": "another user"})
    profiles.get_user(tx, user_id)
    key = direct_key(tx.actor.id, user_id)
    found = store.find_direct(tx, key)
    if found is None:
        lock_two(tx, tx.actor.id, user_id)
        check_no_block(tx, [user_id])
        row = ConversationRow(tx.new_id(), "direct", None, key, tx.actor.id, tx.now, None)
        if store.insert_conversation(tx, row):
            return begin(tx, row, [tx.actor.id, user_id], tx.actor.id)
        found = store.find_direct(tx, key)  # the other one was a moment faster
    if found is None:
        raise Conflict
    return conversation_view(tx, found, tx.head("/chat", names.chat(found.id)))


def get_typing(tx: Transaction, conversation_id: str) -> TypingEphemeral:
    seat = chat_members.find_seat(tx, conversation_id, tx.actor.id)
    if seat is None:
        raise NotFound
    if seat.closed:
        raise Blocked
    return TypingEphemeral(conversation_id, tx.actor.id)


def check_member(tx: Transaction, conversation_id: str) -> int:
    """From which number on the actor is in; raises NotFound when they are not."""
    from_seq = chat_members.find_membership(tx, conversation_id, tx.actor.id)
    if from_seq is None:
        raise NotFound
    return from_seq


def hold_member(tx: Transaction, conversation_id: str) -> Seat:
    """How the actor is in, true until the commit: a removal at this moment waits for it."""
    seat = chat_members.hold_seat(tx, conversation_id, tx.actor.id)
    if seat is None:
        raise NotFound
    return seat


def hold_speaker(tx: Transaction, conversation_id: str) -> Seat:
    """`hold_member` for who would say something; raises Blocked too."""
    seat = hold_member(tx, conversation_id)
    if seat.closed:
        raise Blocked
    return seat


def begin(
    tx: Transaction, row: ConversationRow, member_ids: list[str], opener_id: str
) -> ConversationView:
    """Let its first members in and say so; who opens a group owns it."""
    seq = tx.take_number("/chat", names.chat(row.id))
    owner_id = opener_id if row.kind == "group" else None
    roles: dict[str, Role] = {
        user_id: "owner" if user_id == owner_id else "member" for user_id in member_ids
    }
    chat_members.insert_members(tx, row.id, roles, seq)
    view = conversation_view(tx, row, seq)
    tx.publish(ConversationOpened(conversation=view, user_id=opener_id))
    return view
