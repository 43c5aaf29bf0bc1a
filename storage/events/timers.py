"""Timers: events to be published later. Transactions set, replace and cancel them by key."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Column, String, Table, Text, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import KeptJson, not_personal

timers = Table(
    "timers",
    metadata,
    Column("key", String(200), primary_key=True),
    Column("due_at", Instant, nullable=False, index=True),
    Column("name", String(64), nullable=False),
    Column("data", Text, nullable=False),
    info=not_personal("key due_at name data", kept_json=KeptJson("data", event_in="name")),
)


class Timer(msgspec.Struct):
    key: str
    due_at: datetime
    name: str
    data: str


_insert = insert(timers)
_SET = _insert.on_conflict_do_update(
    index_elements=[timers.c.key],
    set_={
        "due_at": _insert.excluded.due_at,
        "name": _insert.excluded.name,
        "data": _insert.excluded.data,
    },
)
_JOIN = _insert.on_conflict_do_update(
    index_elements=[timers.c.key], set_={"due_at": timers.c.due_at}
).returning(timers.c.due_at)
_CANCEL = delete(timers).where(timers.c.key == bindparam("of_key"))
_SERVED = timers.c.name.not_in(bindparam("waiting", expanding=True))
_DUE = (
    select(timers.c.key, timers.c.due_at, timers.c.name, timers.c.data)
    .where(timers.c.due_at <= bindparam("now"), _SERVED)
    .order_by(timers.c.due_at)
    .limit(bindparam("limit"))
)
_TAKE = delete(timers).where(
    timers.c.key == bindparam("of_key"), timers.c.due_at == bindparam("at_due")
)
_NEXT = (
    select(timers.c.due_at)
    .where(timers.c.due_at > bindparam("since"), _SERVED)
    .order_by(timers.c.due_at)
    .limit(1)
)


def set_timer(tx: Queries, key: str, due_at: datetime, name: str, data: str) -> None:
    """Set or replace the timer `key`."""
    tx.run(_SET, key=key, due_at=due_at, name=name, data=data)


def join_timer(tx: Queries, key: str, due_at: datetime, name: str, data: str) -> datetime:
    """Set the timer `key`, unless it is set already; returns when it is due.

    Its row is locked, so it does not fire before this transaction commits.
    """
    moment: datetime = tx.scalar(_JOIN, key=key, due_at=due_at, name=name, data=data)
    return moment


def cancel_timer(tx: Queries, key: str) -> bool:
    """Cancel a timer; returns whether it existed."""
    return tx.run(_CANCEL, of_key=key) == 1


def list_due_timers(
    tx: Queries, now: datetime, limit: int, waiting: Sequence[str] = ()
) -> list[Timer]:
    """The due timers, except those of events whose names are in `waiting`."""
    return tx.all(Timer, _DUE, now=now, limit=limit, waiting=list(waiting))


def take_timer(tx: Queries, timer: Timer) -> bool:
    """Delete `timer`; returns False if it was fired, replaced or cancelled meanwhile."""
    return tx.run(_TAKE, of_key=timer.key, at_due=timer.due_at) == 1


def find_next_timer(tx: Queries, since: datetime, waiting: Sequence[str] = ()) -> datetime | None:
    """The time of the first timer due after `since`, except those of `waiting` events."""
    moment: datetime | None = tx.scalar(_NEXT, since=since, waiting=list(waiting))
    return moment
