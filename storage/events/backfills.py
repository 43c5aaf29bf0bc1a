"""How far the backfill of each consumer is: what it shall hear from before it was there.

Invariants:
- A page is one transaction that holds the backfill's row: it queues the page's deliveries and
  stores the cursor behind them. So each page is queued once, whoever is killed and however many
  instances take pages.
- Pages queue older facts first and number them upwards, all below zero
(`storage/events/deliveries.py`).
- While the backfill is `running`, no other delivery of its consumer is worked on. Whoever works on
  one shares the row's lock, so a backfill starts anew only between two of them. Hence an event
  whose delivery is still there was not heard, and an event without one is for the backfill.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    String,
    Table,
    Text,
    bindparam,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import not_personal
from storage.events.deliveries import deliveries
from storage.events.log import Record, events

State = Literal["running", "done", "failed"]
FIRST = -(1 << 53)
"""The number of the first delivery that a consumer's first backfill queues."""

backfills = Table(
    "backfills",
    metadata,
    Column("consumer", String(100), primary_key=True),
    Column("state", String(10), nullable=False),
    Column("after", String(200), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("queued", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text),
    Column("started_at", Instant, nullable=False),
    info=not_personal("consumer state after number queued attempts error started_at"),
)


class Backfill(msgspec.Struct):
    """One consumer's. `after` is the cursor, empty at the start; `number` comes next."""

    consumer: str
    state: State
    after: str
    number: int
    queued: int
    attempts: int
    error: str | None
    started_at: datetime


class PastEvent(msgspec.Struct):
    """A stored event that a consumer may have to hear, as `StoredEvent`, with its order key."""

    id: str
    name: str
    at: datetime
    data: str
    private: dict[str, Any] | None
    sealed: bool
    actor_id: str | None
    correlation_id: str | None
    order_key: str


_b, _e = backfills.c, events.c
_ALL = select(backfills).where(_b.consumer == bindparam("of_consumer"))
_FIND = _ALL
_LOCK = _ALL.with_for_update()
_STATE = select(_b.state).where(_b.consumer == bindparam("of_consumer")).with_for_update(read=True)
_INSERT = insert(backfills).on_conflict_do_nothing(index_elements=[_b.consumer])
_ANEW = insert(backfills).on_conflict_do_update(
    index_elements=[_b.consumer],
    set_={
        "state": "running",
        "after": "",
        "queued": 0,
        "attempts": 0,
        "error": None,
        "started_at": bindparam("now", type_=Instant),
    },
)
_ADVANCE = (
    update(backfills)
    .where(_b.consumer == bindparam("of_consumer"))
    .values(
        state=bindparam("new_state"),
        after=bindparam("new_after"),
        number=_b.number + bindparam("more"),
        queued=_b.queued + bindparam("more"),
        attempts=0,
        error=None,
    )
)
_FAILED = (
    update(backfills)
    .where(_b.consumer == bindparam("of_consumer"))
    .values(
        state=bindparam("new_state"),
        attempts=bindparam("new_attempts"),
        error=bindparam("new_error"),
    )
)
_IN_STATE = select(backfills).where(_b.state == bindparam("of_state")).order_by(_b.consumer)
_next = (
    select(_e.id)
    .where(_e.id > bindparam("after"))
    .order_by(_e.id)
    .limit(bindparam("limit"))
    .subquery()
)
_END = select(func.max(_next.c.id))
_UNHEARD = (
    select(
        _e.id,
        _e.name,
        _e.at,
        _e.data,
        _e.private,
        _e.sealed,
        _e.actor_id,
        _e.correlation_id,
        _e.order_key,
    )
    .where(
        _e.id > bindparam("after"),
        _e.id <= bindparam("end"),
        _e.name.in_(bindparam("names", expanding=True)),
        _e.told_to.is_(None),
        ~exists().where(
            deliveries.c.event_id == _e.id,
            deliveries.c.consumer.in_(bindparam("consumers", expanding=True)),
        ),
    )
    .order_by(_e.id)
)
_INSERT_EVENT = insert(events)


def insert_backfill(tx: Queries, consumer: str, now: datetime, state: State) -> None:
    """Add a consumer's backfill, unless there is one."""
    row = Backfill(consumer, state, "", FIRST, 0, 0, None, now)
    tx.run(_INSERT, **msgspec.structs.asdict(row))


def inherit_backfill(tx: Queries, former: Sequence[str], consumer: str) -> None:
    """Let the consumer go on with the backfill that it has under one of its former names.

    That is the one that got furthest: each rename goes on with the numbers of the name before it.
    """
    found = [one for one in (lock_backfill(tx, name) for name in former) if one is not None]
    if not found:
        return
    latest = max(found, key=lambda one: (one.number, one.state == "running"))
    for one in found:
        tx.run(_FAILED, of_consumer=one.consumer, new_state="done", new_attempts=0, new_error=None)
    latest.consumer = consumer
    tx.run(_INSERT, **msgspec.structs.asdict(latest))


def begin_anew(tx: Queries, consumer: str, now: datetime) -> None:
    """Start from the beginning; numbers go on, so that an earlier run's deliveries come first."""
    row = Backfill(consumer, "running", "", FIRST, 0, 0, None, now)
    tx.run(_ANEW, **msgspec.structs.asdict(row), now=now)


def find_backfill(tx: Queries, consumer: str) -> Backfill | None:
    return tx.one(Backfill, _FIND, of_consumer=consumer)


def lock_backfill(tx: Queries, consumer: str) -> Backfill | None:
    """Found, and held against other pages until the commit."""
    return tx.one(Backfill, _LOCK, of_consumer=consumer)


def is_running(tx: Queries, consumer: str) -> bool:
    """Whether the consumer's own deliveries have to wait; none is started until the commit."""
    return bool(tx.scalar(_STATE, of_consumer=consumer) == "running")


def list_backfills(tx: Queries, state: State) -> list[Backfill]:
    return tx.all(Backfill, _IN_STATE, of_state=state)


def advance(tx: Queries, consumer: str, after: str | None, more: int) -> None:
    """Store the cursor behind a page of `more` deliveries; None says that it was the last."""
    state = "done" if after is None else "running"
    tx.run(_ADVANCE, of_consumer=consumer, new_state=state, new_after=after or "", more=more)


def note_failure(tx: Queries, consumer: str, *, attempts: int, error: str, state: State) -> None:
    """Count a page that failed."""
    tx.run(_FAILED, of_consumer=consumer, new_state=state, new_attempts=attempts, new_error=error)


def find_end(tx: Queries, after: str, limit: int) -> str | None:
    """The id of the last of the next `limit` events after an id; None when there are none."""
    found: str | None = tx.scalar(_END, after=after, limit=limit)
    return found


def list_unheard(
    tx: Queries, after: str, end: str, names: Sequence[str], consumers: Sequence[str]
) -> list[PastEvent]:
    """Events in (after, end] of these names for which `consumers` have no delivery, in order."""
    return tx.all(PastEvent, _UNHEARD, after=after, end=end, names=names, consumers=consumers)


def insert_told_events(tx: Queries, records: Sequence[Record], consumer: str) -> None:
    """Store events that one consumer alone is told, without numbers in any room."""
    rows = [
        {
            "id": record.id,
            "name": record.name,
            "version": record.version,
            "at": record.at,
            "data": record.data,
            "private": record.private,
            "sealed": record.sealed,
            "subject": record.subject,
            "order_key": record.order_key,
            "told_to": consumer,
        }
        for record in records
    ]
    tx.run_many(_INSERT_EVENT, rows)
