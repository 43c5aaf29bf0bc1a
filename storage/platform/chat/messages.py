"""Messages of conversations."""

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
    false,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, Json, metadata
from storage.engine.database import Queries
from storage.engine.personal import ClearColumns, Export, KeptJson, personal
from storage.platform.chat.removals import is_removed
from storage.platform.chat.search_index import index_full_batch, vector_of, with_terms

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
    Column("reply_to", String(36)),
    Column("mentions", Json),
    Column("preview", Json),
    Column("hidden", Boolean, nullable=False, server_default=false()),
    Column("sent_hash", String(64)),
    UniqueConstraint("conversation_id", "seq"),
    UniqueConstraint("conversation_id", "sender_id", "client_id"),
    info=personal(
        on_erasure_of={
            "sender_id": ClearColumns(
                {
                    "text": "",
                    "client_id": None,
                    "mentions": None,
                    "preview": None,
                    "sent_hash": None,
                }
            )
        },
        unchanged="id conversation_id seq said_seq sender_id kind card_kind card_id card_data "
        "sent_at edited_at deleted reply_to hidden",
        export=Export(
            file="messages",
            description="Your messages.",
            columns="id conversation_id seq client_id mentions preview kind text card_kind card_id "
            "card_data sent_at edited_at deleted reply_to hidden",
        ),
        not_exported="said_seq sender_id sent_hash",
        kept_json=KeptJson("card_data", card_in="card_kind"),
        narrowed_by={"conversation_id": "conversation_members.conversation_id"},
        erased_by="chat",
    ),
)
_SHOWS = messages.c.card_id.is_not(None)
Index(
    "ix_messages_card",
    messages.c.card_kind,
    messages.c.card_id,
    sqlite_where=_SHOWS,
    postgresql_where=_SHOWS,
)


class MessageRow(msgspec.Struct):
    """A message; `said_seq` is the number of the event that gave it its current content.

    A `hidden` message keeps its content, but its view does not contain it. `sent_hash` is a keyed
    hash of what was sent with the client id; messages from before there was a hash have none.
    """

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
    reply_to: str | None
    mentions: list[str] | None
    preview: Any
    hidden: bool = False
    sent_hash: str | None = None


_x = messages.c
_indexed = with_terms(messages)
_INSERT_MESSAGE = insert(messages)
_INSERT_INDEXED = insert(_indexed)
_BY_CLIENT_ID = (
    select(messages)
    .where(
        _x.conversation_id == bindparam("of_conversation"),
        _x.sender_id == bindparam("of_sender"),
        _x.client_id == bindparam("of_client_id"),
    )
    .with_for_update(read=True)  # so that no answer stores its text while it is deleted
)
_FIND = select(messages).where(_x.id == bindparam("message_id"))
_MESSAGE = _FIND.with_for_update()
_EDITED = (
    *("said_seq", "text", "card_data", "mentions", "edited_at", "deleted", "preview", "hidden"),
)
_EDIT = (
    update(messages)
    .where(_x.id == bindparam("message_id"))
    .values({name: bindparam(f"new_{name}") for name in _EDITED})
)
_EDIT_INDEXED = (
    update(_indexed)
    .where(_indexed.c.id == bindparam("message_id"))
    .values({name: bindparam(f"new_{name}") for name in (*_EDITED, "terms")})
)
_BETWEEN = (
    select(messages)
    .where(
        _x.conversation_id == bindparam("of_conversation"),
        _x.seq >= bindparam("first"),
        _x.seq <= bindparam("last"),
        ~is_removed(bindparam("of_reader"), _x.id),
    )
    .order_by(_x.seq.desc())
    .limit(bindparam("limit"))
)
_SHOWS_OBJECT = (
    _x.card_kind == bindparam("of_kind"),
    _x.card_id == bindparam("of_id"),
    _x.kind == "card",  # media and system messages use the same columns
)
_CARDS = (
    select(messages)
    .where(*_SHOWS_OBJECT)
    .order_by(_x.id)
    .limit(bindparam("limit"))
    .with_for_update()
)
_CARD_COUNT = select(func.count()).select_from(messages).where(*_SHOWS_OBJECT)

_IN_CONVERSATIONS = _x.conversation_id.in_(bindparam("conversation_ids", expanding=True))
_SAID_BY = (
    select(messages)
    .where(
        _IN_CONVERSATIONS,
        _x.sender_id == bindparam("of_sender"),
        _x.kind.in_(("text", "media")),
        _x.client_id >= "",  # erased messages have none, so the index skips them
    )
    .limit(bindparam("limit"))
    .with_for_update()
)
_CARDS_IN = (
    select(messages)
    .where(
        _IN_CONVERSATIONS,
        _x.kind.in_(("card", "system")),
        _x.deleted.is_(False),
        _x.id > bindparam("after"),
    )
    .order_by(_x.id)
    .limit(bindparam("limit"))
    .with_for_update()
)
_FORGET_CLIENT_IDS = (
    update(messages)
    .where(_x.id.in_(bindparam("message_ids", expanding=True)))
    .values(client_id=None, sent_hash=None)
)


def insert_message(tx: Queries, row: MessageRow) -> None:
    if tx.dialect == "sqlite":
        tx.run(_INSERT_MESSAGE, **msgspec.structs.asdict(row))
        index_full_batch(tx)
    else:
        tx.run(_INSERT_INDEXED, **msgspec.structs.asdict(row), terms=_vector_of(row))


def find_sent(
    tx: Queries, conversation_id: str, sender_id: str, client_id: str
) -> MessageRow | None:
    """The sender's message with this client id; its content cannot change before the commit."""
    return tx.one(
        MessageRow,
        _BY_CLIENT_ID,
        of_conversation=conversation_id,
        of_sender=sender_id,
        of_client_id=client_id,
    )


def find_message(tx: Queries, message_id: str) -> MessageRow | None:
    return tx.one(MessageRow, _FIND, message_id=message_id)


def lock_message(tx: Queries, message_id: str) -> MessageRow | None:
    return tx.one(MessageRow, _MESSAGE, message_id=message_id)


def update_message(tx: Queries, row: MessageRow) -> None:
    edited = {f"new_{name}": getattr(row, name) for name in _EDITED}
    if tx.dialect == "sqlite":
        tx.run(_EDIT, message_id=row.id, **edited)
    else:
        tx.run(_EDIT_INDEXED, message_id=row.id, **edited, new_terms=_vector_of(row))


def list_messages(
    tx: Queries, conversation_id: str, reader_id: str, first: int, last: int, limit: int
) -> list[MessageRow]:
    """Messages with numbers in [first, last] that the reader did not remove, the newest first."""
    return tx.all(
        MessageRow,
        _BETWEEN,
        of_conversation=conversation_id,
        of_reader=reader_id,
        first=first,
        last=last,
        limit=limit,
    )


def list_cards(tx: Queries, kind: str, card_id: str, limit: int) -> list[MessageRow]:
    """The messages that show this object, locked against concurrent changes such as hiding."""
    return tx.all(MessageRow, _CARDS, of_kind=kind, of_id=card_id, limit=limit)


def count_cards(tx: Queries, kind: str, card_id: str) -> int:
    """The number of messages that show this object."""
    count: int = tx.scalar(_CARD_COUNT, of_kind=kind, of_id=card_id)
    return count


def list_messages_by(
    tx: Queries, sender_id: str, conversation_ids: list[str], limit: int
) -> list[MessageRow]:
    """Messages of a sender in these conversations that are not erased yet, locked."""
    return tx.all(
        MessageRow, _SAID_BY, of_sender=sender_id, conversation_ids=conversation_ids, limit=limit
    )


def list_cards_in(
    tx: Queries, conversation_ids: list[str], after: str, limit: int
) -> list[MessageRow]:
    """Cards and system messages in these conversations, in the order of their ids, locked."""
    return tx.all(
        MessageRow, _CARDS_IN, conversation_ids=conversation_ids, after=after, limit=limit
    )


def forget_client_ids(tx: Queries, message_ids: list[str]) -> None:
    """Clear the client ids of these messages, and the hashes of what was sent with them."""
    tx.run(_FORGET_CLIENT_IDS, message_ids=message_ids)


def _vector_of(row: MessageRow) -> str | None:
    return vector_of(row.kind, row.conversation_id, row.text, row.card_data)
