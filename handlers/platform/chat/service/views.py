"""Views of messages and conversations, made from their rows."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.conversations import ConversationView
from handlers.platform.chat.contracts.marks import Marks, MarksView
from handlers.platform.chat.contracts.messages import (
    Card,
    LinkPreview,
    MediaView,
    MessageView,
    Reaction,
)
from handlers.platform.chat.contracts.rooms import chat_room, marks_room
from rooms import names
from storage.events.log import list_heads
from storage.platform.chat import conversations as store
from storage.platform.chat import marks as chat_marks
from storage.platform.chat import members as chat_members
from storage.platform.chat import reactions as chat_reactions
from storage.platform.chat.conversations import ConversationRow
from storage.platform.chat.marks import Mark
from storage.platform.chat.messages import MessageRow

MARKS_BY_PERSON_MAX = 32
MARKS_AT_ONCE_MAX = 5
"""The maximum number of members whose marks are published one by one.

A message to five members then takes at most ten numbers: its own, five read marks and four delivery
marks. A replay, which does not count marks towards the maximum in a room, still fits into the
maximum of a connection.
"""
NAMED_MAX = 32
"""The maximum number of users named for each emoji of a message."""


def message_view(row: MessageRow, reactions: Sequence[Reaction] = ()) -> MessageView:
    """The message as its readers see it; a hidden message has no content."""
    if row.hidden:
        return msgspec.structs.replace(message_view(_without_content(row)), hidden=True)
    card, media, preview = None, None, None
    if row.card_kind is not None and not row.deleted:
        if row.kind == "media":
            media = msgspec.convert(row.card_data, MediaView)
        else:
            card = Card(row.card_kind, row.card_id or "", row.card_data)
    if row.preview is not None:
        preview = msgspec.convert(row.preview, LinkPreview)
    return MessageView(
        id=row.id,
        conversation_id=row.conversation_id,
        seq=row.seq,
        sender_id=row.sender_id,
        client_id=row.client_id,
        kind=row.kind,
        text=row.text,
        card=card,
        sent_at=row.sent_at,
        edited_at=row.edited_at,
        deleted=row.deleted,
        media=media,
        reply_to=row.reply_to,
        mentions=row.mentions or [],
        reactions=list(reactions),
        preview=preview,
    )


def _without_content(row: MessageRow) -> MessageRow:
    nothing: dict[str, Any] = {"text": "", "card_kind": None, "mentions": None, "preview": None}
    return msgspec.structs.replace(row, **nothing, hidden=False)


def reactions_of(tx: Transaction, message_ids: list[str]) -> dict[str, list[Reaction]]:
    """The reactions to each of these messages, in one query."""
    found: dict[str, dict[str, Reaction]] = {one: {} for one in message_ids}
    for row in chat_reactions.list_reactions(tx, message_ids, NAMED_MAX):
        shown = found[row.message_id].setdefault(row.emoji, Reaction(row.emoji, row.people, []))
        shown.user_ids.append(row.user_id)
    return {message_id: list(by_emoji.values()) for message_id, by_emoji in found.items()}


def conversation_view(tx: Transaction, row: ConversationRow, seq: int) -> ConversationView:
    """The conversation as of event `seq`."""
    return conversation_views(tx, [row], {row.id: seq})[0]


def conversation_views(
    tx: Transaction, rows: Sequence[ConversationRow], seqs: dict[str, int] | None = None
) -> list[ConversationView]:
    """Views of several conversations, in a fixed number of queries.

    `seqs` are the heads of their rooms, if known.
    """
    ids = [row.id for row in rows]
    members: dict[str, list[str]] = defaultdict(list)
    owners: dict[str, list[str]] = defaultdict(list)
    for member in chat_members.list_members(tx, ids):
        members[member.conversation_id].append(member.user_id)
        if member.role == "owner":
            owners[member.conversation_id].append(member.user_id)
    marks: dict[str, list[Mark]] = defaultdict(list)
    for mark in chat_marks.list_marks(tx, ids):
        marks[mark.conversation_id].append(mark)
    large = [one for one in ids if len(members[one]) > MARKS_BY_PERSON_MAX]
    newest = store.list_newest_seqs(tx, large) if large else {}
    heads = seqs if seqs is not None else _heads(tx, ids, chat_room)
    gathering = [one for one in ids if len(members[one]) > MARKS_AT_ONCE_MAX]
    marks_heads = _heads(tx, gathering, marks_room) if gathering else {}
    return [
        ConversationView(
            id=row.id,
            kind=row.kind,
            name=row.name,
            member_ids=members[row.id],
            owner_ids=owners[row.id],
            picture_id=row.picture_id,
            seq=heads[row.id],
            read=_published_marks(marks[row.id], "read", members[row.id], newest.get(row.id)),
            delivered=_published_marks(
                marks[row.id], "delivered", members[row.id], newest.get(row.id)
            ),
            marks_seq=marks_heads.get(row.id, UNSET),
        )
        for row in rows
    ]


def marks_view(tx: Transaction, conversation_id: str) -> MarksView:
    """The published marks of one conversation."""
    members = [one.user_id for one in chat_members.list_members(tx, [conversation_id])]
    marks = chat_marks.list_marks(tx, [conversation_id])
    newest = None
    if len(members) > MARKS_BY_PERSON_MAX:
        newest = store.list_newest_seqs(tx, [conversation_id]).get(conversation_id)
    return MarksView(
        conversation_id=conversation_id,
        read=_published_marks(marks, "read", members, newest),
        delivered=_published_marks(marks, "delivered", members, newest),
        message_seq=newest,
        seq=tx.head("/chat", marks_room(conversation_id)),
    )


def _heads(tx: Transaction, ids: list[str], room_of: Callable[[str], str]) -> dict[str, int]:
    """The last numbers of these conversations' rooms of one kind."""
    streams = {names.stream("/chat", room_of(one)): one for one in ids}
    return {streams[name]: seq for name, seq in list_heads(tx, list(streams)).items()}


def _published_marks(marks: list[Mark], kind: str, members: list[str], newest: int | None) -> Marks:
    """The published marks by user, so that a snapshot agrees with later events.

    In a large conversation, the number of members whose mark has reached the newest message.
    """
    here = {mark.user_id: mark.told_seq for mark in marks if mark.kind == kind and mark.told_seq}
    published = {user_id: here[user_id] for user_id in members if user_id in here}
    if len(members) <= MARKS_BY_PERSON_MAX:
        return published
    return 0 if newest is None else sum(1 for seq in published.values() if seq >= newest)
