"""Groups: their members, owners, names and pictures.

Invariants:
- Each change publishes one event, and adds a system message with the same sequence number to the
  history.
- A group has at least one owner as long as it has members.
"""

from typing import Any

from handlers.kit.errors import Conflict, Forbidden, Invalid, NotFound
from handlers.kit.life import WatchingEnded
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.conversations import (
    ChangeMember,
    ConversationChanged,
    ConversationView,
    CreateGroup,
    LastOwner,
    LeaveConversation,
    MemberAdded,
    MemberRemoved,
    NotedChange,
    Rename,
    SetGroupPicture,
    SetRole,
)
from handlers.platform.chat.contracts.rooms import chat_room, marks_room
from handlers.platform.chat.rules import ChatRules
from handlers.platform.chat.service.blocks import check_no_block
from handlers.platform.chat.service.filtering import require_clean
from handlers.platform.chat.service.members import begin, check_member, hold_member
from handlers.platform.chat.service.messages import new_message
from handlers.platform.chat.service.views import conversation_view, message_view
from handlers.platform.profile import public as profiles
from handlers.platform.uploads import public as uploads
from storage.platform.chat import conversations as store
from storage.platform.chat import members as chat_members
from storage.platform.chat import messages as chat_messages
from storage.platform.chat import states as chat_states
from storage.platform.chat.conversations import ConversationRow


def create_group(tx: Transaction, ask: CreateGroup) -> ConversationView:
    """Create a group of the actor, who owns it, and these users.

    Raises Invalid for too many members, NotFound, Blocked or TextRefused.
    """
    member_ids = sorted({tx.actor.id, *ask.member_ids})
    members_max = tx.rules.of(ChatRules).group_members_max
    if len(member_ids) > members_max:
        expected = f"at most {members_max} members"
        raise Invalid(details={"path": "$.member_ids", "expected": expected})
    if len(profiles.list_users(tx, member_ids)) != len(member_ids):
        raise NotFound
    check_no_block(tx, member_ids)
    require_clean(tx, ask.name)
    row = ConversationRow(tx.new_id(), "group", ask.name, None, tx.actor.id, tx.now, None)
    store.insert_conversation(tx, row)
    return begin(tx, row, member_ids, tx.actor.id)


def add_member(tx: Transaction, ask: ChangeMember) -> ConversationView:
    """Add a user, who can read from MEMBER_ADDED on; adding a member again changes nothing.

    Raises NotFound, Blocked, or Conflict when the group is full.
    """
    row = get_group(tx, ask.conversation_id)
    profiles.get_user(tx, ask.user_id)
    check_no_block(tx, [ask.user_id])
    if chat_members.find_from_seq(tx, row.id, ask.user_id) is not None:
        return _current_view(tx, row)
    if len(chat_members.list_members(tx, [row.id])) >= tx.rules.of(ChatRules).group_members_max:
        raise Conflict("The group is full.")
    seq = tx.take_number("/chat", chat_room(row.id))
    chat_members.insert_members(tx, row.id, {ask.user_id: "member"}, seq)
    return _publish(tx, MemberAdded, row, seq, ask.user_id, "member_added")


def remove_member(tx: Transaction, ask: ChangeMember) -> ConversationView:
    """Remove a member as an owner, or leave. Raises NotFound, Forbidden or LastOwner."""
    if ask.user_id == tx.actor.id:
        return leave(tx, LeaveConversation(conversation_id=ask.conversation_id))
    return _end_membership(
        tx, get_own_group(tx, ask.conversation_id), ask.user_id, "member_removed"
    )


def leave(tx: Transaction, ask: LeaveConversation) -> ConversationView:
    """Leave a group; raises LastOwner when the other members would have no owner."""
    row = get_group(tx, ask.conversation_id)
    _check_an_owner_stays(tx, row, tx.actor.id)
    return _end_membership(tx, row, tx.actor.id, "member_left")


def rename(tx: Transaction, ask: Rename) -> ConversationView:
    row = get_own_group(tx, ask.conversation_id)
    if row.name == ask.name:
        return _current_view(tx, row)
    require_clean(tx, ask.name)
    row.name = ask.name
    return _change(tx, row, "renamed", {"name": ask.name})


def set_picture(tx: Transaction, ask: SetGroupPicture) -> ConversationView:
    """Replace or remove the group's picture, and release the previous one."""
    row = get_own_group(tx, ask.conversation_id)
    before = row.picture_id
    if before == ask.upload_id:
        return _current_view(tx, row)
    uploads.replace_picture(tx, before, ask.upload_id)
    row.picture_id = ask.upload_id
    return _change(tx, row, "picture_changed", {})


def set_role(tx: Transaction, ask: SetRole) -> ConversationView:
    """Make a member an owner, or an owner a member. Raises NotFound, Forbidden or LastOwner."""
    row = get_own_group(tx, ask.conversation_id)
    membership = chat_members.hold_membership(tx, row.id, ask.user_id)
    if membership is None:
        raise NotFound
    if membership.role == ask.role:
        return _current_view(tx, row)
    if ask.role == "member" and not chat_members.has_other_owner(tx, row.id, ask.user_id):
        raise LastOwner
    chat_members.give_role(tx, row.id, ask.user_id, ask.role)
    return _change(tx, row, "role_changed", {"role": ask.role}, ask.user_id)


def get_group(tx: Transaction, conversation_id: str) -> ConversationRow:
    """A group of the actor, locked. Raises NotFound, or Conflict for a direct conversation."""
    row = store.lock_conversation(tx, conversation_id)
    if row is None:
        raise NotFound
    check_member(tx, conversation_id)
    if row.kind != "group":
        raise Conflict("The members of a direct conversation cannot change.")
    return row


def get_own_group(tx: Transaction, conversation_id: str) -> ConversationRow:
    """`get_group` for its owners; raises Forbidden for other members."""
    row = get_group(tx, conversation_id)
    if hold_member(tx, conversation_id).role != "owner":
        raise Forbidden("Only an owner of the group can do this.")
    return row


def remove_and_keep_an_owner(tx: Transaction, row: ConversationRow, user_id: str) -> None:
    """Remove a member from a locked group; makes another member its owner if it would have none."""
    others = [one for one in chat_members.list_members(tx, [row.id]) if one.user_id != user_id]
    if others and not any(one.role == "owner" for one in others):
        chat_members.give_role(tx, row.id, others[0].user_id, "owner")
    _end_membership(tx, row, user_id, "member_left", by=user_id)


def _check_an_owner_stays(tx: Transaction, row: ConversationRow, leaving_id: str) -> None:
    others = [one for one in chat_members.list_members(tx, [row.id]) if one.user_id != leaving_id]
    if others and not any(one.role == "owner" for one in others):
        raise LastOwner


def _end_membership(
    tx: Transaction, row: ConversationRow, user_id: str, note: str, by: str | None = None
) -> ConversationView:
    if chat_members.hold_membership(tx, row.id, user_id) is None:
        raise NotFound
    seq = tx.take_number("/chat", chat_room(row.id))
    chat_members.end_membership(tx, row.id, user_id, seq)
    chat_states.clear_draft(tx, row.id, user_id)  # its user can no longer send or delete it
    tx.publish(WatchingEnded(user_id=user_id, of_namespace="/chat", room=marks_room(row.id)))
    return _publish(tx, MemberRemoved, row, seq, user_id, note, by=by)


def _change(
    tx: Transaction,
    row: ConversationRow,
    note: str,
    data: dict[str, Any],
    about: str | None = None,
) -> ConversationView:
    """Save a group. The system message names the user `about`, or the actor if that is None."""
    store.change_conversation(tx, row)
    seq = tx.take_number("/chat", chat_room(row.id))
    return _publish(tx, ConversationChanged, row, seq, about or tx.actor.id, note, data)


def _publish(
    tx: Transaction,
    event: type[NotedChange],
    row: ConversationRow,
    seq: int,
    user_id: str,
    note: str,
    data: dict[str, Any] | None = None,
    by: str | None = None,
) -> ConversationView:
    """Publish an event with number `seq`, and add a system message with the same number."""
    message = new_message(tx, row.id, None, "system", "", by)
    message.seq = message.said_seq = seq
    message.card_kind, message.card_id, message.card_data = note, user_id, data or {}
    chat_messages.insert_message(tx, message)
    view = conversation_view(tx, row, seq)
    tx.publish(event(conversation=view, user_id=user_id, message=message_view(message)))
    return view


def _current_view(tx: Transaction, row: ConversationRow) -> ConversationView:
    return conversation_view(tx, row, tx.head("/chat", chat_room(row.id)))
