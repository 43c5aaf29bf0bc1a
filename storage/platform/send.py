"""Dispatches: messages to send, encrypted until they are sent or given up."""

from datetime import datetime

import msgspec
from sqlalchemy import Column, Integer, String, Table, Text, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import not_personal

dispatches = Table(
    "dispatches",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("channel", String(20), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("notification_id", String(36)),
    Column("sealed", Text, nullable=False),
    Column("status", String(20), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("done_at", Instant, index=True),
    info=not_personal("id channel kind notification_id sealed status attempts created_at done_at"),
)


class Dispatch(msgspec.Struct):
    id: str
    channel: str
    kind: str
    notification_id: str | None
    sealed: str
    status: str
    attempts: int
    created_at: datetime
    done_at: datetime | None


_d = dispatches.c
_INSERT = insert(dispatches).on_conflict_do_nothing(index_elements=[_d.id])
_FIND = select(dispatches).where(_d.id == bindparam("dispatch_id"))
_UPDATE = (
    update(dispatches)
    .where(_d.id == bindparam("dispatch_id"))
    .values(
        sealed=bindparam("new_sealed"),
        status=bindparam("new_status"),
        attempts=bindparam("new_attempts"),
        done_at=bindparam("new_done_at"),
    )
)
_OLD = select(_d.id).where(_d.done_at < bindparam("before")).limit(bindparam("limit"))
_FORGET = delete(dispatches).where(_d.id.in_(_OLD))


def insert_dispatch(tx: Queries, dispatch: Dispatch) -> None:
    tx.run(_INSERT, **msgspec.structs.asdict(dispatch))


def find_dispatch(tx: Queries, dispatch_id: str) -> Dispatch | None:
    return tx.one(Dispatch, _FIND, dispatch_id=dispatch_id)


def update_dispatch(tx: Queries, dispatch: Dispatch) -> None:
    tx.run(
        _UPDATE,
        dispatch_id=dispatch.id,
        new_sealed=dispatch.sealed,
        new_status=dispatch.status,
        new_attempts=dispatch.attempts,
        new_done_at=dispatch.done_at,
    )


def forget_dispatches(tx: Queries, before: datetime, limit: int) -> int:
    """Delete dispatches that were sent or given up before this time; returns how many."""
    return tx.run(_FORGET, before=before, limit=limit)
