"""Exports, planned deletions of accounts, and queries on the events of users' own rooms."""

from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    bindparam,
    delete,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import DeleteRow, Export, KeepRow, personal
from storage.events.deliveries import deliveries
from storage.events.log import events, stream_events

exports = Table(
    "exports",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("user_id", String(36), ForeignKey("users.id"), nullable=False, index=True),
    Column("status", String(10), nullable=False),
    Column("percent", Integer, nullable=False),
    Column("size", BigInteger),
    Column("asked_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    info=personal(
        on_erasure_of={"user_id": DeleteRow()},
        export=Export(
            file="exports",
            description="Your exports of personal data, such as this one.",
            columns="asked_at status size expires_at",
        ),
        not_exported="id user_id percent",
        erased_by="personal_data",
    ),
)
_PREPARING = exports.c.status == "preparing"
Index(
    "ix_exports_once",
    exports.c.user_id,
    unique=True,
    sqlite_where=_PREPARING,
    postgresql_where=_PREPARING,
)
deletions = Table(
    "account_deletions",
    metadata,
    Column("user_id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("asked_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("erased_at", Instant),
    info=personal(
        on_erasure_of={"user_id": KeepRow()},
        unchanged="user_id asked_at due_at erased_at",
        export=Export(
            file="account_deletion",
            description="When your account will be deleted.",
            columns="asked_at due_at",
        ),
        not_exported="user_id erased_at",
    ),
)


class ExportRow(msgspec.Struct):
    id: str
    user_id: str
    status: Literal["preparing", "ready"]
    percent: int
    size: int | None
    asked_at: datetime
    expires_at: datetime


class DeletionRow(msgspec.Struct):
    user_id: str
    asked_at: datetime
    due_at: datetime
    erased_at: datetime | None


class StreamEvent(msgspec.Struct):
    """An event of a stream."""

    seq: int
    name: str
    at: datetime
    data: str


_e, _d, _v, _n = exports.c, deletions.c, events.c, stream_events.c
_INSERT = insert(exports).on_conflict_do_nothing().returning(_e.id)
_LATEST = select(exports).where(_e.user_id == bindparam("of_user")).order_by(_e.id.desc()).limit(1)
_FIND = select(exports).where(_e.id == bindparam("export_id"))
_LOCK = _FIND.with_for_update()
_COUNT = select(func.count()).where(
    _e.user_id == bindparam("of_user"), _e.asked_at > bindparam("after")
)
_OF_USER = select(exports).where(_e.user_id == bindparam("of_user")).limit(bindparam("limit"))
_UPDATE = (
    update(exports)
    .where(_e.id == bindparam("export_id"))
    .values(
        status=bindparam("new_status"),
        percent=bindparam("new_percent"),
        size=bindparam("new_size"),
        expires_at=bindparam("new_expires_at"),
    )
)
_DELETE = delete(exports).where(_e.id == bindparam("export_id"))
_INSERT_DELETION = (
    insert(deletions).on_conflict_do_nothing(index_elements=[_d.user_id]).returning(_d.user_id)
)
_DELETION = select(deletions).where(_d.user_id == bindparam("of_user"))
_LOCK_DELETION = _DELETION.with_for_update()
_CANCEL = delete(deletions).where(_d.user_id == bindparam("of_user"))
_NOTE_ERASED = (
    update(deletions).where(_d.user_id == bindparam("of_user")).values(erased_at=bindparam("now"))
)
_STREAM_EVENTS = (
    select(_n.seq, _v.name, _v.at, _v.data)
    .join(events, _v.id == _n.event_id)
    .where(_n.stream == bindparam("of_stream"), _n.seq > bindparam("after"), _v.sealed.is_(False))
    .order_by(_n.seq)
    .limit(bindparam("limit"))
)
_STREAM_EVENT_IDS = (
    select(_n.event_id).where(_n.stream == bindparam("of_stream")).limit(bindparam("limit"))
)
_REMOVE_FROM_STREAM = delete(stream_events).where(
    _n.stream == bindparam("of_stream"), _n.event_id.in_(bindparam("event_ids", expanding=True))
)
_other = stream_events.alias("other")
_DELETE_UNREFERENCED = delete(events).where(
    _v.id.in_(bindparam("event_ids", expanding=True)),
    ~exists().where(_other.c.event_id == _v.id),
    ~exists().where(deliveries.c.event_id == _v.id),
)


def insert_export(tx: Queries, row: ExportRow) -> bool:
    """Insert an export; False while another export of the user is in preparation."""
    return tx.scalar(_INSERT, **msgspec.structs.asdict(row)) is not None


def find_latest_export(tx: Queries, user_id: str) -> ExportRow | None:
    return tx.one(ExportRow, _LATEST, of_user=user_id)


def find_export(tx: Queries, export_id: str) -> ExportRow | None:
    return tx.one(ExportRow, _FIND, export_id=export_id)


def lock_export(tx: Queries, export_id: str) -> ExportRow | None:
    """Find the row and lock it against other changes until the commit."""
    return tx.one(ExportRow, _LOCK, export_id=export_id)


def count_exports(tx: Queries, user_id: str, after: datetime) -> int:
    """How many exports the user requested after this time."""
    return int(tx.scalar(_COUNT, of_user=user_id, after=after))


def list_exports(tx: Queries, user_id: str, limit: int) -> list[ExportRow]:
    return tx.all(ExportRow, _OF_USER, of_user=user_id, limit=limit)


def update_export(tx: Queries, row: ExportRow) -> None:
    values: dict[str, Any] = {
        f"new_{name}": getattr(row, name) for name in ("status", "percent", "size", "expires_at")
    }
    tx.run(_UPDATE, export_id=row.id, **values)


def delete_export(tx: Queries, export_id: str) -> None:
    tx.run(_DELETE, export_id=export_id)


def insert_deletion(tx: Queries, row: DeletionRow) -> bool:
    """Insert a planned deletion; False if there is one already."""
    return tx.scalar(_INSERT_DELETION, **msgspec.structs.asdict(row)) is not None


def find_deletion(tx: Queries, user_id: str) -> DeletionRow | None:
    return tx.one(DeletionRow, _DELETION, of_user=user_id)


def lock_deletion(tx: Queries, user_id: str) -> DeletionRow | None:
    """Find the row and lock it against other changes until the commit."""
    return tx.one(DeletionRow, _LOCK_DELETION, of_user=user_id)


def cancel_deletion(tx: Queries, user_id: str) -> None:
    tx.run(_CANCEL, of_user=user_id)


def note_erased(tx: Queries, user_id: str, now: datetime) -> None:
    tx.run(_NOTE_ERASED, of_user=user_id, now=now)


def list_stream_events(tx: Queries, stream: str, after: int, limit: int) -> list[StreamEvent]:
    """The stored events of a stream after sequence number `after`, without sealed ones."""
    return tx.all(StreamEvent, _STREAM_EVENTS, of_stream=stream, after=after, limit=limit)


def forget_stream(tx: Queries, stream: str, limit: int) -> int:
    """Remove at most `limit` events from a stream; returns how many.

    Deletes those events that no other stream and no delivery needs.
    """
    event_ids = tx.scalars(_STREAM_EVENT_IDS, of_stream=stream, limit=limit)
    if event_ids:
        tx.run(_REMOVE_FROM_STREAM, of_stream=stream, event_ids=event_ids)
        tx.run(_DELETE_UNREFERENCED, event_ids=event_ids)
    return len(event_ids)
