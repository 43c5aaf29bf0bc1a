"""The progress of backfills, which give consumers the events from before they existed.

Invariants:
- A page is one transaction that locks the backfill's row, queues the page's deliveries and stores
  the cursor after them. Each page is therefore queued once, even if an instance dies or several
  instances work on the backfill.
- Pages queue older events first. Their numbers rise and stay below zero
  (`storage/events/deliveries.py`).
- While the backfill is `running`, no other delivery of its consumer is processed. The processing of
  a delivery holds a shared lock on the row, so a backfill restarts only between two deliveries.
  Therefore an event with a pending delivery has not been processed, and an event without one is for
  the backfill.
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
"""The number of the first delivery of a consumer's first backfill."""

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
    """A consumer's backfill. `after` is its cursor, at first empty; `number` is its next number."""

    consumer: str
    state: State
    after: str
    number: int
    queued: int
    attempts: int
    error: str | None
    started_at: datetime


class PastEvent(msgspec.Struct):
    """A `StoredEvent` with its order key, for a backfill."""

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
    """Insert a consumer's backfill, unless it has one."""
    row = Backfill(consumer, state, "", FIRST, 0, 0, None, now)
    tx.run(_INSERT, **msgspec.structs.asdict(row))


def inherit_backfill(tx: Queries, former: Sequence[str], consumer: str) -> None:
    """Continue the backfill that the consumer has under one of its former names.

    This is the backfill with the highest number, because each rename continued the numbers of the
    name before it.
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
    """Restart a backfill. Its numbers continue, so that deliveries of earlier runs come first."""
    row = Backfill(consumer, "running", "", FIRST, 0, 0, None, now)
    tx.run(_ANEW, **msgspec.structs.asdict(row), now=now)


def find_backfill(tx: Queries, consumer: str) -> Backfill | None:
    return tx.one(Backfill, _FIND, of_consumer=consumer)


def lock_backfill(tx: Queries, consumer: str) -> Backfill | None:
    """The backfill, locked against other pages until the commit; None if there is none."""
    return tx.one(Backfill, _LOCK, of_consumer=consumer)


def is_running(tx: Queries, consumer: str) -> bool:
    """Whether a backfill is running, so that the consumer's other deliveries must wait.

    A shared lock prevents that a backfill restarts before the commit.
    """
    return bool(tx.scalar(_STATE, of_consumer=consumer) == "running")


def list_backfills(tx: Queries, state: State) -> list[Backfill]:
    return tx.all(Backfill, _IN_STATE, of_state=state)


def advance(tx: Queries, consumer: str, after: str | None, more: int) -> None:
    """Store the cursor after a page of `more` deliveries; None after the last page."""
    state = "done" if after is None else "running"
    tx.run(_ADVANCE, of_consumer=consumer, new_state=state, new_after=after or "", more=more)


def note_failure(tx: Queries, consumer: str, *, attempts: int, error: str, state: State) -> None:
    """Store the state after a page that failed."""
    tx.run(_FAILED, of_consumer=consumer, new_state=state, new_attempts=attempts, new_error=error)


def find_end(tx: Queries, after: str, limit: int) -> str | None:
    """The id of the last of the next `limit` events after an id; None if there are none."""
    found: str | None = tx.scalar(_END, after=after, limit=limit)
    return found


def list_unheard(
    tx: Queries, after: str, end: str, names: Sequence[str], consumers: Sequence[str]
) -> list[PastEvent]:
    """The events in (after, end] with these names and without a delivery to `consumers`, in order.

    Events that a backfill created for a single consumer are left out.
    """
    return tx.all(PastEvent, _UNHEARD, after=after, end=end, names=names, consumers=consumers)


def insert_told_events(tx: Queries, records: Sequence[Record], consumer: str) -> None:
    """Store events for a single consumer, without numbers in any stream."""
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
