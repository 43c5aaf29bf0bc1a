"""Messages that a user deleted only for themselves."""

import msgspec
from sqlalchemy import Column, ColumnElement, ForeignKey, Index, String, Table, bindparam, select
from sqlalchemy import exists as exists_where
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import metadata
from storage.engine.database import Queries
from storage.engine.personal import DeleteRow, Export, personal

removals = Table(
    "message_removals",
    metadata,
    Column("user_id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("message_id", String(36), ForeignKey("messages.id"), primary_key=True),
    info=personal(
        on_erasure_of={"user_id": DeleteRow()},
        export=Export(
            file="removed_messages",
            description="Messages that you deleted for yourself.",
            columns="message_id",
        ),
        not_exported="user_id",
    ),
)
Index("ix_message_removals_message_id", removals.c.message_id)


class RemovalRow(msgspec.Struct):
    user_id: str
    message_id: str


_v = removals.c
_INSERT = insert(removals).on_conflict_do_nothing().returning(_v.message_id)
_FIND = select(_v.message_id).where(
    _v.user_id == bindparam("of_user"), _v.message_id == bindparam("of_message")
)


_AMONG = select(_v.message_id).where(
    _v.user_id == bindparam("of_user"),
    _v.message_id.in_(bindparam("message_ids", expanding=True)),
)


_REMOVERS = (
    select(_v.user_id)
    .where(
        _v.message_id == bindparam("of_message"),
        _v.user_id.in_(bindparam("user_ids", expanding=True)),
    )
    .limit(bindparam("limit"))
)


def is_removed(user_id: ColumnElement[str], message_id: ColumnElement[str]) -> ColumnElement[bool]:
    """An expression: whether this user deleted this message for themselves."""
    return exists_where().where(_v.user_id == user_id, _v.message_id == message_id)


def insert_removal(tx: Queries, removal: RemovalRow) -> bool:
    """False when it was deleted already."""
    return tx.scalar(_INSERT, **msgspec.structs.asdict(removal)) is not None


def list_removed(tx: Queries, user_id: str, message_ids: list[str]) -> list[str]:
    """Those of these messages that this user deleted for themselves."""
    return tx.scalars(_AMONG, of_user=user_id, message_ids=message_ids) if message_ids else []


def list_removers(tx: Queries, message_id: str, user_ids: list[str]) -> list[str]:
    """Those of these users who deleted this message for themselves."""
    return tx.scalars(_REMOVERS, of_message=message_id, user_ids=user_ids, limit=len(user_ids))


def has_removed(tx: Queries, user_id: str, message_id: str) -> bool:
    return tx.scalar(_FIND, of_user=user_id, of_message=message_id) is not None
