"""Conversations, and the list of a user's conversations."""

from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    FromClause,
    ScalarSelect,
    String,
    Table,
    bindparam,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import ClearColumns, Export, personal
from storage.platform.chat.marks import marks
from storage.platform.chat.members import IN_NOW, members
from storage.platform.chat.messages import MessageRow, messages
from storage.platform.chat.removals import is_removed
from storage.platform.chat.states import states

conversations = Table(
    "conversations",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("kind", String(10), nullable=False),
    Column("name", String(100)),
    Column("direct_key", String(73), unique=True),
    Column("created_by", String(36), nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("picture_id", String(36)),
    info=personal(
        on_erasure_of={"created_by": ClearColumns({"name": "Group"})},
        unchanged="id kind direct_key created_by opened_at picture_id",
        export=Export(
            file="conversations",
            description="The conversations that you are or were in.",
            columns="id kind name created_by opened_at",
            found_by="id",
        ),
        not_exported="direct_key picture_id",
        found_through={"id": "conversation_members.conversation_id"},
        erased_by="chat",
    ),
)


class ConversationRow(msgspec.Struct):
    id: str
    kind: Literal["direct", "group"]
    name: str | None
    direct_key: str | None
    created_by: str
    opened_at: datetime
    picture_id: str | None


class ListedRow(ConversationRow):
    """A conversation, and the time of its last message; without one, that of its opening."""

    active_at: datetime


class Joined(msgspec.Struct):
    """A conversation of which a user is a member, from number `from_seq` on."""

    conversation_id: str
    from_seq: int


class Unread(msgspec.Struct):
    conversation_id: str
    count: int


class Newest(msgspec.Struct):
    """The sequence number of a conversation's newest message, if there is one."""

    conversation_id: str
    seq: int | None


def _newest_in(conversation_id: ColumnElement[str]) -> ScalarSelect[int]:
    message = messages.alias("said")
    newest = select(func.max(message.c.seq)).where(message.c.conversation_id == conversation_id)
    return newest.scalar_subquery()


def _newest_shown() -> ScalarSelect[int]:
    """The number of the newest message that the user of `members` did not delete for themselves."""
    message = messages.alias("shown")
    return _in_newest_shown(message, message.c.seq)


def _active_at() -> ColumnElement[datetime]:
    """The time of the message of `_newest_shown`; if there is none, of the opening."""
    message = messages.alias("spoken")
    newest = _in_newest_shown(message, message.c.sent_at)
    return func.coalesce(newest, conversations.c.opened_at, type_=Instant)


def _in_newest_shown(message: FromClause, column: ColumnElement[Any]) -> ScalarSelect[Any]:
    return (
        select(column)
        .where(
            message.c.conversation_id == members.c.conversation_id,
            message.c.seq >= members.c.from_seq,
            ~is_removed(members.c.user_id, message.c.id),
        )
        .order_by(message.c.seq.desc())
        .limit(1)
        .correlate(members)
        .scalar_subquery()
    )


_c, _m, _x = conversations.c, members.c, messages.c
_INSERT_CONVERSATION = (
    insert(conversations).on_conflict_do_nothing(index_elements=[_c.direct_key]).returning(_c.id)
)
_FIND = select(conversations).where(_c.id == bindparam("conversation_id"))
_LOCK = _FIND.with_for_update(key_share=True)
_DIRECT = select(conversations).where(_c.direct_key == bindparam("key"))
_CHANGE = (
    update(conversations)
    .where(_c.id == bindparam("conversation_id"))
    .values(name=bindparam("new_name"), picture_id=bindparam("new_picture_id"))
)
_OF_PERSON = (
    select(conversations, _active_at().label("active_at"), _m.from_seq)
    .join(members, _c.id == _m.conversation_id)
    .where(_m.user_id == bindparam("of_user"), IN_NOW)
    .subquery("of_person")
)
_o = _OF_PERSON.c
_JOINED_ROOMS = (
    select(_o.id, _o.from_seq).order_by(_o.active_at.desc(), _o.id.desc()).limit(bindparam("limit"))
)
_ARCHIVED = exists().where(
    states.c.conversation_id == _o.id, states.c.user_id == bindparam("of_user"), states.c.archived
)
_LISTED = select(*(_o[name] for name in ListedRow.__struct_fields__))
_FIND_LISTED = _LISTED.where(_o.id == bindparam("conversation_id"))
_LIST = (
    _LISTED.where(
        bindparam("archived", type_=Boolean) == _ARCHIVED,
        (_o.active_at < bindparam("before"))
        | ((_o.active_at == bindparam("before")) & (_o.id < bindparam("before_id"))),
    )
    .order_by(_o.active_at.desc(), _o.id.desc())
    .limit(bindparam("limit"))
)
_EVER_JOINED = (
    select(_m.conversation_id)
    .where(_m.user_id == bindparam("of_user"), _m.conversation_id > bindparam("after"))
    .distinct()
    .order_by(_m.conversation_id)
    .limit(bindparam("limit"))
)
_GROUPS = (
    select(_c.id)
    .join(members, _m.conversation_id == _c.id)
    .where(_m.user_id == bindparam("of_user"), IN_NOW, _c.kind == "group")
    .limit(bindparam("limit"))
)
_notes, _later = messages.alias("notes"), messages.alias("later")
_RENAMINGS = (_notes.c.conversation_id == _c.id, _notes.c.card_kind == "renamed")
_LAST_RENAMING_BY_USER = (
    select(func.coalesce(func.max(_notes.c.seq), 0))
    .where(*_RENAMINGS, _notes.c.card_id == bindparam("of_user"))
    .scalar_subquery()
)
_IN_EVER_JOINED = _c.id.in_(select(_m.conversation_id).where(_m.user_id == bindparam("of_user")))
_NAMED = select(_c.id).where(
    _IN_EVER_JOINED,
    _c.kind == "group",
    (_c.created_by == bindparam("of_user")) | (_LAST_RENAMING_BY_USER > 0),
    ~exists().where(
        _later.c.conversation_id == _c.id,
        _later.c.card_kind == "renamed",
        _later.c.card_id != bindparam("of_user"),
        _later.c.seq > _LAST_RENAMING_BY_USER,
    ),
)
_FORGET_PICTURES = (
    update(conversations)
    .where(_IN_EVER_JOINED, _c.picture_id.in_(bindparam("picture_ids", expanding=True)))
    .values(picture_id=None)
)
_RENAME = update(conversations).where(_c.id == bindparam("group_id")).values(name=bindparam("new"))
_NEWEST = select(_c.id, _newest_in(_c.id)).where(
    _c.id.in_(bindparam("conversation_ids", expanding=True))
)
_LAST = (
    select(messages)
    .join(members, _m.conversation_id == _x.conversation_id)
    .where(
        _m.user_id == bindparam("of_user"),
        IN_NOW,
        _m.conversation_id.in_(bindparam("conversation_ids", expanding=True)),
        _x.seq == _newest_shown(),
    )
)
_COUNTS_AS_UNREAD = (
    _x.conversation_id == _m.conversation_id,
    _x.seq >= _m.from_seq,
    _x.sender_id.is_distinct_from(_m.user_id),
    _x.deleted.is_(False),
    _x.hidden.is_(False),
    _x.kind != "system",
    ~is_removed(_m.user_id, _x.id),
)
"""Whether a message counts as unread for the user of `members`, until that user reads it."""
_UNREAD = (
    select(_x.id)
    # SQLite searches its index by the first bound of `seq`, and this one leaves fewer messages.
    .where(_x.seq > func.coalesce(marks.c.unread_from - 1, marks.c.seq, 0), *_COUNTS_AS_UNREAD)
    .limit(bindparam("limit"))
    .correlate(members, marks)
    .subquery()
)
_NEWEST_FOR = (
    select(_x.seq)
    .join(members, *_COUNTS_AS_UNREAD[:1])
    .where(
        *_COUNTS_AS_UNREAD[1:],
        _m.conversation_id == bindparam("of_conversation"),
        _m.user_id == bindparam("of_user"),
        IN_NOW,
    )
    .order_by(_x.seq.desc())
    .limit(1)
)
_COUNT_UNREAD = (
    select(_m.conversation_id, select(func.count()).select_from(_UNREAD).scalar_subquery())
    .outerjoin(
        marks,
        (marks.c.conversation_id == _m.conversation_id)
        & (marks.c.user_id == _m.user_id)
        & (marks.c.kind == "read"),
    )
    .where(
        _m.user_id == bindparam("of_user"),
        _m.to_seq.is_(None),
        _m.conversation_id.in_(bindparam("conversation_ids", expanding=True)),
    )
)


def insert_conversation(tx: Queries, row: ConversationRow) -> bool:
    """False when the two users have a direct conversation already."""
    return tx.scalar(_INSERT_CONVERSATION, **msgspec.structs.asdict(row)) is not None


def find_conversation(tx: Queries, conversation_id: str) -> ConversationRow | None:
    return tx.one(ConversationRow, _FIND, conversation_id=conversation_id)


def lock_conversation(tx: Queries, conversation_id: str) -> ConversationRow | None:
    """The conversation, locked until the commit; changes of its members take the same lock."""
    return tx.one(ConversationRow, _LOCK, conversation_id=conversation_id)


def find_direct(tx: Queries, key: str) -> ConversationRow | None:
    return tx.one(ConversationRow, _DIRECT, key=key)


def change_conversation(tx: Queries, row: ConversationRow) -> None:
    """Store the name and the picture."""
    tx.run(_CHANGE, conversation_id=row.id, new_name=row.name, new_picture_id=row.picture_id)


def list_memberships(tx: Queries, user_id: str, limit: int) -> list[Joined]:
    """The current conversations of a user, the most recently active first."""
    return tx.all(Joined, _JOINED_ROOMS, of_user=user_id, limit=limit)


def list_conversations(
    tx: Queries, user_id: str, archived: bool, before: datetime, before_id: str, limit: int
) -> list[ListedRow]:
    """A page of a user's current conversations, archived or not, the most recently active first.

    It continues after the conversation with this time of activity and id.
    """
    return tx.all(
        ListedRow,
        _LIST,
        of_user=user_id,
        archived=archived,
        before=before,
        before_id=before_id,
        limit=limit,
    )


def find_listed(tx: Queries, user_id: str, conversation_id: str) -> ListedRow | None:
    """A current conversation of a user, archived or not."""
    return tx.one(ListedRow, _FIND_LISTED, of_user=user_id, conversation_id=conversation_id)


def list_ever_joined(tx: Queries, user_id: str, after: str, limit: int) -> list[str]:
    """The conversations that a user is or was a member of, in the order of their ids."""
    return tx.scalars(_EVER_JOINED, of_user=user_id, after=after, limit=limit)


def list_groups(tx: Queries, user_id: str, limit: int) -> list[str]:
    """Groups of which a user is a member."""
    return tx.scalars(_GROUPS, of_user=user_id, limit=limit)


def list_named(tx: Queries, user_id: str) -> list[str]:
    """The groups whose current name comes from this user, who created or last renamed them."""
    return tx.scalars(_NAMED, of_user=user_id)


def forget_pictures(tx: Queries, user_id: str, picture_ids: list[str]) -> None:
    """Remove these pictures from a user's groups."""
    tx.run(_FORGET_PICTURES, of_user=user_id, picture_ids=picture_ids)


def rename_group(tx: Queries, group_id: str, name: str) -> None:
    tx.run(_RENAME, group_id=group_id, new=name)


def list_last_messages(
    tx: Queries, user_id: str, conversation_ids: list[str]
) -> dict[str, MessageRow]:
    """The newest message that the user did not delete for themselves, by conversation.

    Conversations whose newest message is older than the user's membership are missing.
    """
    rows = tx.all(MessageRow, _LAST, of_user=user_id, conversation_ids=conversation_ids)
    return {row.conversation_id: row for row in rows}


def list_newest_seqs(tx: Queries, conversation_ids: list[str]) -> dict[str, int]:
    """The number of the newest message by conversation; without conversations that have none."""
    rows = tx.all(Newest, _NEWEST, conversation_ids=conversation_ids)
    return {row.conversation_id: row.seq for row in rows if row.seq is not None}


def find_newest_from_others(tx: Queries, user_id: str, conversation_id: str) -> int | None:
    """The number of the newest message that can count as unread for a member; None without one."""
    found: int | None = tx.scalar(_NEWEST_FOR, of_user=user_id, of_conversation=conversation_id)
    return found


def count_unread(
    tx: Queries, user_id: str, conversation_ids: list[str], limit: int
) -> dict[str, int]:
    """The number of others' messages that a user has not read, at most `limit`, by conversation.

    These are the messages above the user's read mark, or from the number on that the user marked as
    unread, unless they were withdrawn: deleted, hidden, or deleted by the user for themselves.
    """
    rows = tx.all(
        Unread, _COUNT_UNREAD, of_user=user_id, conversation_ids=conversation_ids, limit=limit
    )
    return {row.conversation_id: row.count for row in rows}
