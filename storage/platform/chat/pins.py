"""Messages pinned in their conversation."""

from datetime import datetime

import msgspec
from sqlalchemy import Column, ForeignKey, String, Table, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import KeepRow, personal
from storage.platform.chat.messages import MessageRow, messages

pins = Table(
    "pinned_messages",
    metadata,
    Column("conversation_id", String(36), ForeignKey("conversations.id"), primary_key=True),
    Column("message_id", String(36), ForeignKey("messages.id"), primary_key=True),
    Column("pinned_by", String(36), nullable=False),
    Column("at", Instant, nullable=False),
    info=personal(
        on_erasure_of={"pinned_by": KeepRow()},
        unchanged="conversation_id message_id pinned_by at",
        not_exported="conversation_id message_id pinned_by at",
    ),
)


class PinRow(msgspec.Struct):
    conversation_id: str
    message_id: str
    pinned_by: str
    at: datetime


_p = pins.c
_INSERT = insert(pins).on_conflict_do_nothing().returning(_p.message_id)
_DELETE = delete(pins).where(
    _p.conversation_id == bindparam("of_conversation"), _p.message_id == bindparam("of_message")
)
_COUNT = (
    select(func.count()).select_from(pins).where(_p.conversation_id == bindparam("of_conversation"))
)
_OF_CONVERSATION = (
    select(messages)
    .join(pins, _p.message_id == messages.c.id)
    .where(_p.conversation_id == bindparam("of_conversation"))
    .order_by(_p.at.desc(), _p.message_id)
)


def insert_pin(tx: Queries, pin: PinRow) -> bool:
    """False when the message is pinned already."""
    return tx.scalar(_INSERT, **msgspec.structs.asdict(pin)) is not None


def delete_pin(tx: Queries, conversation_id: str, message_id: str) -> bool:
    """Whether the message was pinned."""
    return tx.run(_DELETE, of_conversation=conversation_id, of_message=message_id) == 1


def count_pins(tx: Queries, conversation_id: str) -> int:
    return int(tx.scalar(_COUNT, of_conversation=conversation_id))


def list_pinned(tx: Queries, conversation_id: str) -> list[MessageRow]:
    """The pinned messages, the latest pin first."""
    return tx.all(MessageRow, _OF_CONVERSATION, of_conversation=conversation_id)
