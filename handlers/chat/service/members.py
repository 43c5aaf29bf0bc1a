"""Who is in a conversation, from which number to which."""

from handlers.chat.contracts.conversations import (
    ChangeMember,
    ConversationOpened,
    ConversationView,
    CreateGroup,
    LeaveConversation,
    MemberAdded,
    MemberRemoved,
    TypingWhisper,
)
from handlers.chat.service.views import conversation_view
from handlers.kit.context import Transaction
from handlers.kit.errors import Conflict, Invalid, NotFound
from handlers.profile import public as profiles
from rooms import names
from storage import chat as store
from storage.chat import ConversationRow


def open_direct(tx: Transaction, user_id: str) -> ConversationView:
    """The one direct conversation of the actor and this person."""
    if user_id == tx.actor.id:
        raise Invalid(details={"path": "$.user_id", "expected": "somebody else"})
    profiles.get_user(tx, user_id)
    key = ":".join(sorted((tx.actor.id, user_id)))
    found = store.find_direct(tx, key)
    if found is None:
        row = ConversationRow(tx.new_id(), "direct", None, key, tx.actor.id, tx.now)
        if store.insert_conversation(tx, row):
            return begin(tx, row, [tx.actor.id, user_id], tx.actor.id)
        found = store.find_direct(tx, key)  # the other one was a moment faster
    if found is None:
        raise Conflict
    return conversation_view(tx, found, tx.head("/chat", names.chat(found.id)))


def create_group(tx: Transaction, ask: CreateGroup) -> ConversationView:
    member_ids = sorted({tx.actor.id, *ask.member_ids})
    if len(member_ids) > tx.rules.group_members_max:
        expected = f"at most {tx.rules.group_members_max} members"
        raise Invalid(details={"path": "$.member_ids", "expected": expected})
    if len(profiles.list_users(tx, member_ids)) != len(member_ids):
        raise NotFound
    row = ConversationRow(tx.new_id(), "group", ask.name, None, tx.actor.id, tx.now)
    store.insert_conversation(tx, row)
    return begin(tx, row, member_ids, tx.actor.id)


def add_member(tx: Transaction, ask: ChangeMember) -> ConversationView:
    """From the number of MEMBER_ADDED on; who is in already stays as they are."""
    row = get_group(tx, ask.conversation_id)
    profiles.get_user(tx, ask.user_id)
    if store.find_membership(tx, row.id, ask.user_id) is not None:
        return conversation_view(tx, row, tx.head("/chat", names.chat(row.id)))
    if len(store.list_members(tx, [row.id])) >= tx.rules.group_members_max:
        raise Conflict("The group is full.")
    seq = tx.take_number("/chat", names.chat(row.id))
    store.insert_member(tx, row.id, ask.user_id, seq)
    view = conversation_view(tx, row, seq)
    tx.publish(MemberAdded(conversation=view, user_id=ask.user_id))
    return view


def remove_member(tx: Transaction, ask: ChangeMember) -> ConversationView:
    row = get_group(tx, ask.conversation_id)
    if ask.user_id != tx.actor.id and row.created_by != tx.actor.id:
        raise NotFound
    return _remove(tx, row, ask.user_id)


def leave(tx: Transaction, ask: LeaveConversation) -> ConversationView:
    return _remove(tx, get_group(tx, ask.conversation_id), tx.actor.id)


def get_typing(tx: Transaction, conversation_id: str) -> TypingWhisper:
    check_member(tx, conversation_id)
    return TypingWhisper(conversation_id, tx.actor.id)


def check_member(tx: Transaction, conversation_id: str) -> int:
    """From which number on the actor is in; raises NotFound when they are not."""
    from_seq = store.find_membership(tx, conversation_id, tx.actor.id)
    if from_seq is None:
        raise NotFound
    return from_seq


def hold_member(tx: Transaction, conversation_id: str) -> None:
    """`check_member` that stays true until the commit: a removal at this moment waits for it."""
    if store.hold_membership(tx, conversation_id, tx.actor.id) is None:
        raise NotFound


def get_group(tx: Transaction, conversation_id: str) -> ConversationRow:
    """A group that the actor is in, locked; raises NotFound, or Conflict for a direct one."""
    row = store.lock_conversation(tx, conversation_id)
    if row is None:
        raise NotFound
    check_member(tx, conversation_id)
    if row.kind != "group":
        raise Conflict("A direct conversation has always the same two.")
    return row


def begin(
    tx: Transaction, row: ConversationRow, member_ids: list[str], opener_id: str
) -> ConversationView:
    """Let its first members in and say so."""
    seq = tx.take_number("/chat", names.chat(row.id))
    for user_id in member_ids:
        store.insert_member(tx, row.id, user_id, seq)
    view = conversation_view(tx, row, seq)
    tx.publish(ConversationOpened(conversation=view, user_id=opener_id))
    return view


def _remove(tx: Transaction, row: ConversationRow, user_id: str) -> ConversationView:
    if store.hold_membership(tx, row.id, user_id) is None:
        raise NotFound
    seq = tx.take_number("/chat", names.chat(row.id))
    store.end_membership(tx, row.id, user_id, seq)
    view = conversation_view(tx, row, seq)
    tx.publish(MemberRemoved(conversation=view, user_id=user_id))
    return view
