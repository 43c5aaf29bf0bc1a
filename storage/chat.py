"""Conversations, who is in them from which number to which, and messages."""

from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from storage.columns import Instant, Json, metadata
from storage.engine import Queries

conversations = Table(
    "conversations",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("kind", String(10), nullable=False),
    Column("name", String(100)),
    Column("direct_key", String(73), unique=True),
    Column("created_by", String(36), nullable=False),
    Column("active_at", Instant, nullable=False),
)
members = Table(
    "conversation_members",
    metadata,
    Column("conversation_id", String(36), ForeignKey("conversations.id"), primary_key=True),
    Column("user_id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("from_seq", BigInteger, primary_key=True),
    Column("to_seq", BigInteger),
)
_IN = members.c.to_seq.is_(None)
Index("ix_conversation_members_user_id", members.c.user_id, members.c.conversation_id)
Index(
    "ix_conversation_members_once",
    members.c.conversation_id,
    members.c.user_id,
    unique=True,
    sqlite_where=_IN,
    postgresql_where=_IN,
)
messages = Table(
    "messages",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("conversation_id", String(36), ForeignKey("conversations.id"), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("said_seq", BigInteger, nullable=False),
    Column("sender_id", String(36)),
    Column("client_id", String(64)),
    Column("kind", String(10), nullable=False),
    Column("text", Text, nullable=False),
    Column("card_kind", String(40)),
    Column("card_id", String(36)),
    Column("card_data", Json),
    Column("sent_at", Instant, nullable=False),
    Column("edited_at", Instant),
    Column("deleted", Boolean, nullable=False),
    UniqueConstraint("conversation_id", "seq"),
    UniqueConstraint("conversation_id", "sender_id", "client_id"),
    Index("ix_messages_card", "card_kind", "card_id"),
)


class ConversationRow(msgspec.Struct):
    id: str
    kind: Literal["direct", "group"]
    name: str | None
    direct_key: str | None
    created_by: str
    active_at: datetime


class Interval(msgspec.Struct):
    """A person was in from number `from_seq` to `to_seq` (None: still is)."""

    conversation_id: str
    user_id: str
    from_seq: int
    to_seq: int | None


class MessageRow(msgspec.Struct):
    """`said_seq` is the number at which it came to say what it says now."""

    id: str
    conversation_id: str
    seq: int
    said_seq: int
    sender_id: str | None
    client_id: str | None
    kind: Literal["text", "card", "media", "system"]
    text: str
    card_kind: str | None
    card_id: str | None
    card_data: Any
    sent_at: datetime
    edited_at: datetime | None
    deleted: bool


_c, _m, _x = conversations.c, members.c, messages.c
_INSERT_CONVERSATION = (
    insert(conversations).on_conflict_do_nothing(index_elements=[_c.direct_key]).returning(_c.id)
)
_FIND = select(conversations).where(_c.id == bindparam("conversation_id"))
_LOCK = _FIND.with_for_update(key_share=True)
_DIRECT = select(conversations).where(_c.direct_key == bindparam("key"))
_TOUCH = (
    update(conversations)
    .where(_c.id == bindparam("of_conversation"))
    .values(active_at=bindparam("now"))
)
_JOIN = insert(members)
_LEAVE = (
    update(members)
    .where(
        _m.conversation_id == bindparam("of_conversation"),
        _m.user_id == bindparam("of_user"),
        _IN,
    )
    .values(to_seq=bindparam("new_to_seq"))
)
_INTERVALS = (
    select(members)
    .where(_m.conversation_id == bindparam("of_conversation"), _m.user_id == bindparam("of_user"))
    .order_by(_m.from_seq)
)
_IN_NOW = select(_m.from_seq).where(
    _m.conversation_id == bindparam("of_conversation"), _m.user_id == bindparam("of_user"), _IN
)
_MEMBERS = (
    select(_m.conversation_id, _m.user_id, _m.from_seq, _m.to_seq)
    .where(_m.conversation_id.in_(bindparam("conversation_ids", expanding=True)), _IN)
    .order_by(_m.user_id)
)
_MINE = (
    select(members)
    .join(conversations, _c.id == _m.conversation_id)
    .where(_m.user_id == bindparam("of_user"), _IN)
    .order_by(_c.active_at.desc(), _c.id.desc())
    .limit(bindparam("limit"))
)
_LIST = (
    select(conversations)
    .join(members, _c.id == _m.conversation_id)
    .where(
        _m.user_id == bindparam("of_user"),
        _IN,
        (_c.active_at < bindparam("before"))
        | ((_c.active_at == bindparam("before")) & (_c.id < bindparam("before_id"))),
    )
    .order_by(_c.active_at.desc(), _c.id.desc())
    .limit(bindparam("limit"))
)
_INSERT_MESSAGE = insert(messages)
_BY_CLIENT_ID = select(messages).where(
    _x.conversation_id == bindparam("of_conversation"),
    _x.sender_id == bindparam("of_sender"),
    _x.client_id == bindparam("of_client_id"),
)
_MESSAGE = select(messages).where(_x.id == bindparam("message_id")).with_for_update()
_EDIT = (
    update(messages)
    .where(_x.id == bindparam("message_id"))
    .values(
        said_seq=bindparam("new_said_seq"),
        text=bindparam("new_text"),
        card_data=bindparam("new_card_data"),
        edited_at=bindparam("new_edited_at"),
        deleted=bindparam("new_deleted"),
    )
)
_BETWEEN = (
    select(messages)
    .where(
        _x.conversation_id == bindparam("of_conversation"),
        _x.seq >= bindparam("first"),
        _x.seq <= bindparam("last"),
    )
    .order_by(_x.seq.desc())
    .limit(bindparam("limit"))
)
_NEWEST = select(func.max(_x.seq)).where(_x.conversation_id == bindparam("of_conversation"))
_CARDS = select(messages).where(
    _x.card_kind == bindparam("of_kind"), _x.card_id == bindparam("of_id")
)
_COUNT = select(func.count()).select_from(
    select(_x.id)
    .where(
        _x.conversation_id == bindparam("of_conversation"),
        _x.seq > bindparam("after"),
        _x.sender_id.is_distinct_from(bindparam("but_sender")),
        _x.deleted.is_(False),
    )
    .limit(bindparam("limit"))
    .subquery()
)


def insert_conversation(tx: Queries, row: ConversationRow) -> bool:
    """False when the two have a direct conversation already."""
    return tx.scalar(_INSERT_CONVERSATION, **msgspec.structs.asdict(row)) is not None


def find_conversation(tx: Queries, conversation_id: str) -> ConversationRow | None:
    return tx.one(ConversationRow, _FIND, conversation_id=conversation_id)


def lock_conversation(tx: Queries, conversation_id: str) -> ConversationRow | None:
    """Found, and held against other changes of its membership until the commit."""
    return tx.one(ConversationRow, _LOCK, conversation_id=conversation_id)


def find_direct(tx: Queries, key: str) -> ConversationRow | None:
    return tx.one(ConversationRow, _DIRECT, key=key)


def touch(tx: Queries, conversation_id: str, now: datetime) -> None:
    """Something was said in it: it moves to the top of lists."""
    tx.run(_TOUCH, of_conversation=conversation_id, now=now)


def insert_member(tx: Queries, conversation_id: str, user_id: str, from_seq: int) -> None:
    tx.run(_JOIN, conversation_id=conversation_id, user_id=user_id, from_seq=from_seq)


def end_membership(tx: Queries, conversation_id: str, user_id: str, to_seq: int) -> bool:
    """Whether the person was in."""
    values = {"of_conversation": conversation_id, "of_user": user_id}
    return tx.run(_LEAVE, **values, new_to_seq=to_seq) == 1


def list_intervals(tx: Queries, conversation_id: str, user_id: str) -> list[Interval]:
    """Every time the person was in, in order."""
    return tx.all(Interval, _INTERVALS, of_conversation=conversation_id, of_user=user_id)


def find_membership(tx: Queries, conversation_id: str, user_id: str) -> int | None:
    """From which number on the person is in; None when they are not."""
    found: int | None = tx.scalar(_IN_NOW, of_conversation=conversation_id, of_user=user_id)
    return found


def list_members(tx: Queries, conversation_ids: list[str]) -> list[Interval]:
    """Who is in these conversations now."""
    return tx.all(Interval, _MEMBERS, conversation_ids=conversation_ids)


def list_memberships(tx: Queries, user_id: str, limit: int) -> list[Interval]:
    """Where a person is in now, the liveliest first."""
    return tx.all(Interval, _MINE, of_user=user_id, limit=limit)


def list_conversations(
    tx: Queries, user_id: str, before: datetime, before_id: str, limit: int
) -> list[ConversationRow]:
    return tx.all(
        ConversationRow, _LIST, of_user=user_id, before=before, before_id=before_id, limit=limit
    )


def insert_message(tx: Queries, row: MessageRow) -> None:
    tx.run(_INSERT_MESSAGE, **msgspec.structs.asdict(row))


def find_sent(
    tx: Queries, conversation_id: str, sender_id: str, client_id: str
) -> MessageRow | None:
    """What this sender sent under this client id."""
    return tx.one(
        MessageRow,
        _BY_CLIENT_ID,
        of_conversation=conversation_id,
        of_sender=sender_id,
        of_client_id=client_id,
    )


def lock_message(tx: Queries, message_id: str) -> MessageRow | None:
    return tx.one(MessageRow, _MESSAGE, message_id=message_id)


def update_message(tx: Queries, row: MessageRow) -> None:
    tx.run(
        _EDIT,
        message_id=row.id,
        new_said_seq=row.said_seq,
        new_text=row.text,
        new_card_data=row.card_data,
        new_edited_at=row.edited_at,
        new_deleted=row.deleted,
    )


def list_messages(
    tx: Queries, conversation_id: str, first: int, last: int, limit: int
) -> list[MessageRow]:
    """Messages numbered in [first, last], the newest first."""
    return tx.all(
        MessageRow,
        _BETWEEN,
        of_conversation=conversation_id,
        first=first,
        last=last,
        limit=limit,
    )


def find_newest_seq(tx: Queries, conversation_id: str) -> int | None:
    """The number of the newest message; None before the first."""
    found: int | None = tx.scalar(_NEWEST, of_conversation=conversation_id)
    return found


def list_cards(tx: Queries, kind: str, card_id: str) -> list[MessageRow]:
    """Every message that shows this thing."""
    return tx.all(MessageRow, _CARDS, of_kind=kind, of_id=card_id)


def count_unread(tx: Queries, conversation_id: str, after: int, reader_id: str, limit: int) -> int:
    """Others' messages above number `after`, counted up to `limit`."""
    return int(
        tx.scalar(
            _COUNT, of_conversation=conversation_id, after=after, but_sender=reader_id, limit=limit
        )
    )
