"""Groups: who is in, who owns them, what they are called and how they look.

Each change is one event, and a note of it in the history has that event's number. A group has an
owner as long as somebody is in it.
"""

from typing import Any

from handlers.kit.errors import Conflict, Forbidden, Invalid, NotFound
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
from handlers.platform.chat.service.blocks import check_no_block
from handlers.platform.chat.service.filtering import check_shown
from handlers.platform.chat.service.members import begin, check_member, hold_member
from handlers.platform.chat.service.messages import new_message
from handlers.platform.chat.service.views import conversation_view, message_view
from handlers.platform.profile import public as profiles
from handlers.platform.uploads import public as uploads
from rooms import names
from storage.platform.chat import conversations as store
from storage.platform.chat import members as chat_members
from storage.platform.chat import messages as chat_messages
from storage.platform.chat.conversations import ConversationRow


def create_group(tx: Transaction, ask: CreateGroup) -> ConversationView:
    """Of the actor, who owns it, and these people."""
    member_ids = sorted({tx.actor.id, *ask.member_ids})
    if len(member_ids) > tx.rules.group_members_max:
        expected = f"at most {tx.rules.group_members_max} members"
        raise Invalid(details={"path": "$.member_ids", "expected": expected})
    if len(profiles.list_users(tx, member_ids)) != len(member_ids):
        raise NotFound
    check_no_block(tx, member_ids)
    check_shown(tx, ask.name)
    row = ConversationRow(tx.new_id(), "group", ask.name, None, tx.actor.id, tx.now, None)
    store.insert_conversation(tx, row)
    return begin(tx, row, member_ids, tx.actor.id)


def add_member(tx: Transaction, ask: ChangeMember) -> ConversationView:
    """From the number of MEMBER_ADDED on; who is in already stays as they are."""
    row = get_group(tx, ask.conversation_id)
    profiles.get_user(tx, ask.user_id)
    check_no_block(tx, [ask.user_id])
    if chat_members.find_membership(tx, row.id, ask.user_id) is not None:
        return _as_it_is(tx, row)
    if len(chat_members.list_members(tx, [row.id])) >= tx.rules.group_members_max:
        raise Conflict("The group is full.")
    seq = tx.take_number("/chat", names.chat(row.id))
    chat_members.insert_members(tx, row.id, {ask.user_id: "member"}, seq)
    return _tell(tx, MemberAdded, row, seq, ask.user_id, "member_added")


def remove_member(tx: Transaction, ask: ChangeMember) -> ConversationView:
    """An owner puts somebody out, or somebody themselves; raises NotFound, Forbidden, LastOwner."""
    if ask.user_id == tx.actor.id:
        return leave(tx, LeaveConversation(conversation_id=ask.conversation_id))
    return _end(tx, get_own_group(tx, ask.conversation_id), ask.user_id, "member_removed")


def leave(tx: Transaction, ask: LeaveConversation) -> ConversationView:
    """Raises LastOwner, unless nobody else is in."""
    row = get_group(tx, ask.conversation_id)
    _check_an_owner_stays(tx, row, tx.actor.id)
    return _end(tx, row, tx.actor.id, "member_left")


def rename(tx: Transaction, ask: Rename) -> ConversationView:
    row = get_own_group(tx, ask.conversation_id)
    if row.name == ask.name:
        return _as_it_is(tx, row)
    check_shown(tx, ask.name)
    row.name = ask.name
    return _change(tx, row, "renamed", {"name": ask.name})


def set_picture(tx: Transaction, ask: SetGroupPicture) -> ConversationView:
    """Show another picture of the group; the one before goes."""
    row = get_own_group(tx, ask.conversation_id)
    before = row.picture_id
    if before == ask.upload_id:
        return _as_it_is(tx, row)
    uploads.replace_picture(tx, before, ask.upload_id)
    row.picture_id = ask.upload_id
    return _change(tx, row, "picture_changed", {})


def set_role(tx: Transaction, ask: SetRole) -> ConversationView:
    """Make a member an owner, or an owner a member; raises NotFound, Forbidden, LastOwner."""
    row = get_own_group(tx, ask.conversation_id)
    seat = chat_members.hold_seat(tx, row.id, ask.user_id)
    if seat is None:
        raise NotFound
    if seat.role == ask.role:
        return _as_it_is(tx, row)
    if ask.role == "member" and not chat_members.has_other_owner(tx, row.id, ask.user_id):
        raise LastOwner
    chat_members.give_role(tx, row.id, ask.user_id, ask.role)
    return _change(tx, row, "role_changed", {"role": ask.role}, ask.user_id)


def get_group(tx: Transaction, conversation_id: str) -> ConversationRow:
    """A group that the actor is in, locked; raises NotFound, or Conflict for a direct one."""
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


def put_out(tx: Transaction, row: ConversationRow, user_id: str) -> None:
    """Take somebody out of a locked group, which gets another owner if it has none then."""
    others = [one for one in chat_members.list_members(tx, [row.id]) if one.user_id != user_id]
    if others and not any(one.role == "owner" for one in others):
        chat_members.give_role(tx, row.id, others[0].user_id, "owner")
    _end(tx, row, user_id, "member_left", by=user_id)


def _check_an_owner_stays(tx: Transaction, row: ConversationRow, leaving_id: str) -> None:
    others = [one for one in chat_members.list_members(tx, [row.id]) if one.user_id != leaving_id]
    if others and not any(one.role == "owner" for one in others):
        raise LastOwner


def _end(
    tx: Transaction, row: ConversationRow, user_id: str, note: str, by: str | None = None
) -> ConversationView:
    if chat_members.hold_seat(tx, row.id, user_id) is None:
        raise NotFound
    seq = tx.take_number("/chat", names.chat(row.id))
    chat_members.end_membership(tx, row.id, user_id, seq)
    return _tell(tx, MemberRemoved, row, seq, user_id, note, by=by)


def _change(
    tx: Transaction,
    row: ConversationRow,
    note: str,
    data: dict[str, Any],
    about: str | None = None,
) -> ConversationView:
    """Keep how the group is now; the note is about a person, else about who changed it."""
    store.change_conversation(tx, row)
    seq = tx.take_number("/chat", names.chat(row.id))
    return _tell(tx, ConversationChanged, row, seq, about or tx.actor.id, note, data)


def _tell(
    tx: Transaction,
    event: type[NotedChange],
    row: ConversationRow,
    seq: int,
    user_id: str,
    note: str,
    data: dict[str, Any] | None = None,
    by: str | None = None,
) -> ConversationView:
    """Say what happened at number `seq`, and note it in the history under the same number."""
    said = new_message(tx, row.id, None, "system", "", by)
    said.seq = said.said_seq = seq
    said.card_kind, said.card_id, said.card_data = note, user_id, data or {}
    chat_messages.insert_message(tx, said)
    view = conversation_view(tx, row, seq)
    tx.publish(event(conversation=view, user_id=user_id, message=message_view(said)))
    return view


def _as_it_is(tx: Transaction, row: ConversationRow) -> ConversationView:
    return conversation_view(tx, row, tx.head("/chat", names.chat(row.id)))
