"""Pending deliveries: one queue for each consumer and order key, processed from the lowest number.

Invariants:
- Deliveries of one order key are numbered under the lock of that key's row. Their order is the
  commit order, and a higher number is never visible before a lower one.
- Only the lowest delivery of a queue is processed. Its row is locked while the consumer runs and is
  deleted in the same transaction, so the effect happens once.
- The lowest row itself stores the state of a failure (attempts, ready_at, parked, lease). A failing
  or parked delivery therefore blocks its own queue and no other.
- The row of an order key exists while the key has deliveries. `forget_order_keys` first locks the
  row, then checks in a second statement that the key has no deliveries. A transaction that numbers
  a delivery holds the same lock until its commit. The next number of a deleted key is 1 again,
  which is unambiguous because no earlier delivery is left.
- A backfill numbers its deliveries below zero, so that they precede all others of their key. Until
  their turn, their `ready_at` is `BACKLOG`, so that the query for due deliveries skips them.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    BindParameter,
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    Select,
    String,
    Table,
    Text,
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
from storage.engine.personal import not_personal

BACKLOG = datetime(9999, 1, 1, tzinfo=UTC)
"""The `ready_at` of a backfill's deliveries. They never become due; `list_backlog` finds them."""

order_keys = Table(
    "order_keys",
    metadata,
    Column("order_key", String(200), primary_key=True),
    Column("number", BigInteger, nullable=False),
    info=not_personal("order_key number"),
)
deliveries = Table(
    "deliveries",
    metadata,
    Column("order_key", String(200), primary_key=True),
    Column("consumer", String(100), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("event_id", String(36), nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    Column("ready_at", Instant, nullable=False),
    Column("parked", Boolean, nullable=False),
    Column("error", Text),
    Index("ix_deliveries_due", "parked", "ready_at"),
    info=not_personal("consumer order_key number event_id attempts ready_at parked error"),
)


class Delivery(msgspec.Struct):
    """The lowest delivery of a queue, with its state."""

    number: int
    event_id: str
    attempts: int
    ready_at: datetime
    parked: bool
    consumer: str
    """The stored name: the present or a former name of the consumer."""


class Queue(msgspec.Struct, frozen=True):
    """The identity of a queue."""

    consumer: str
    order_key: str


class Parked(msgspec.Struct):
    """A parked delivery, as `run.py parked` shows it."""

    consumer: str
    order_key: str
    number: int
    event_id: str
    attempts: int
    error: str | None


_key_insert = insert(order_keys)
_NEXT = _key_insert.on_conflict_do_update(
    index_elements=[order_keys.c.order_key],
    set_={"number": order_keys.c.number + _key_insert.excluded.number},
).returning(order_keys.c.number)
_INSERT = insert(deliveries)
_d = deliveries.c
_THIS_QUEUE = (_d.consumer == bindparam("of_consumer"), _d.order_key == bindparam("of_key"))
_THIS = (*_THIS_QUEUE, _d.number == bindparam("at_number"))


def _lowest(consumer: ColumnElement[bool]) -> Select[Any]:
    return (
        select(_d.number, _d.event_id, _d.attempts, _d.ready_at, _d.parked, _d.consumer)
        .where(_d.order_key == bindparam("of_key"), consumer)
        .order_by(_d.number, _d.consumer)
        .limit(1)
        .with_for_update()
    )


_LOWEST = _lowest(_d.consumer == bindparam("of_consumer"))
_LOWEST_OF_NAMES = _lowest(_d.consumer.in_(bindparam("names", expanding=True)))
_DELETE = delete(deliveries).where(*_THIS)
_FINISH = _DELETE.where(_d.event_id == bindparam("of_event"))
_POSTPONE = (
    update(deliveries)
    .where(*_THIS)
    .values(
        attempts=bindparam("new_attempts"),
        ready_at=bindparam("new_ready_at"),
        parked=bindparam("new_parked"),
        error=bindparam("new_error"),
    )
)
_RENEW = (
    update(deliveries)
    .where(*_THIS, _d.attempts == bindparam("attempt"))
    .values(ready_at=bindparam("new_ready_at"))
)
_earlier = deliveries.alias("earlier")
_NAMES: BindParameter[str] = bindparam("names", expanding=True)


def _first(earlier_of: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
    """Conditions for the lowest delivery of a queue of `names`, if it is not parked."""
    before = (_earlier.c.order_key == _d.order_key, _earlier.c.number < _d.number)
    return (_d.parked.is_(False), _d.consumer.in_(_NAMES), ~exists().where(earlier_of, *before))


def _due(first: tuple[ColumnElement[bool], ...]) -> Select[Any]:
    ready = _d.ready_at <= bindparam("now")
    queues = select(_d.consumer, _d.order_key).where(ready, *first)
    return queues.order_by(_d.ready_at).limit(bindparam("limit"))


def _backlog(first: tuple[ColumnElement[bool], ...]) -> Select[Any]:
    queues = select(_d.consumer, _d.order_key).where(_d.ready_at == BACKLOG, *first)
    return queues.limit(bindparam("limit"))


_FIRST = _first(_earlier.c.consumer == _d.consumer)
_FIRST_OF_ONE = _first(_earlier.c.consumer.in_(_NAMES))
_DUE, _DUE_OF_ONE = _due(_FIRST), _due(_FIRST_OF_ONE)
_BACKLOG, _BACKLOG_OF_ONE = _backlog(_FIRST), _backlog(_FIRST_OF_ONE)
_PARKED = (
    select(_d.consumer, _d.order_key, _d.number, _d.event_id, _d.attempts, _d.error)
    .where(_d.parked.is_(True))
    .order_by(_d.consumer, _d.order_key)
    .limit(bindparam("limit"))
)
_COUNT_PARKED = select(func.count()).select_from(deliveries).where(_d.parked.is_(True))
_COUNT_WAITING = select(func.count()).select_from(deliveries).where(_d.parked.is_(False))
_RETRY = (
    update(deliveries)
    .where(_d.parked.is_(True), *_THIS_QUEUE)
    .values(parked=False, attempts=0, ready_at=bindparam("now"), error=None)
)
_SKIP = delete(deliveries).where(_d.parked.is_(True), *_THIS_QUEUE)
_of_key = exists().where(_d.order_key == order_keys.c.order_key)
_UNUSED_KEYS = (
    select(order_keys.c.order_key)
    .where(~_of_key)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_FORGET_KEYS = delete(order_keys).where(
    order_keys.c.order_key.in_(bindparam("keys", expanding=True)), ~_of_key
)


def insert_deliveries(
    tx: Queries, entries: list[tuple[str, str, datetime, tuple[str, ...]]]
) -> None:
    """Queue a delivery of each `(event id, order key, at, consumers)`.

    Keys are locked in sorted order.
    """
    for event_id, order_key, at, consumers in sorted(entries, key=lambda one: one[1]):
        if not consumers:
            continue
        number = tx.scalar(_NEXT, order_key=order_key, number=1)
        for consumer in consumers:
            tx.run(
                _INSERT,
                consumer=consumer,
                order_key=order_key,
                number=number,
                event_id=event_id,
                attempts=0,
                ready_at=at,
                parked=False,
            )


def insert_backlog(
    tx: Queries, consumer: str, entries: Sequence[tuple[str, str]], first: int
) -> None:
    """Queue `(event id, order key)` pairs for one consumer, numbered from the negative `first`."""
    rows = [
        {
            "consumer": consumer,
            "order_key": order_key,
            "number": first + place,
            "event_id": event_id,
            "attempts": 0,
            "ready_at": BACKLOG,
            "parked": False,
        }
        for place, (event_id, order_key) in enumerate(entries)
    ]
    tx.run_many(_INSERT, rows)


def find_lowest(tx: Queries, queue: Queue, formerly: Sequence[str] = ()) -> Delivery | None:
    """The lowest delivery, also under former names of the consumer; locked until the commit."""
    if not formerly:
        return tx.one(Delivery, _LOWEST, of_consumer=queue.consumer, of_key=queue.order_key)
    names = (queue.consumer, *formerly)
    return tx.one(Delivery, _LOWEST_OF_NAMES, names=names, of_key=queue.order_key)


def delete_delivery(tx: Queries, queue: Queue, number: int) -> None:
    tx.run(_DELETE, of_consumer=queue.consumer, of_key=queue.order_key, at_number=number)


def finish(tx: Queries, queue: Queue, number: int, event_id: str) -> None:
    """Delete a leased delivery, unless the number belongs to another event now."""
    tx.run(
        _FINISH,
        of_consumer=queue.consumer,
        of_key=queue.order_key,
        at_number=number,
        of_event=event_id,
    )


def postpone(
    tx: Queries,
    queue: Queue,
    number: int,
    *,
    attempts: int,
    ready_at: datetime,
    parked: bool = False,
    error: str | None = None,
) -> None:
    """Store the state of a failed delivery for a later attempt, or for an operator if `parked`."""
    tx.run(
        _POSTPONE,
        of_consumer=queue.consumer,
        of_key=queue.order_key,
        at_number=number,
        new_attempts=attempts,
        new_ready_at=ready_at,
        new_parked=parked,
        new_error=error,
    )


def renew(tx: Queries, queue: Queue, number: int, attempt: int, ready_at: datetime) -> bool:
    """Extend a lease until `ready_at`; returns False if another attempt has started since."""
    renewed = tx.run(
        _RENEW,
        of_consumer=queue.consumer,
        of_key=queue.order_key,
        at_number=number,
        attempt=attempt,
        new_ready_at=ready_at,
    )
    return renewed == 1


def list_due(tx: Queries, now: datetime, limit: int, consumers: Sequence[str]) -> list[Queue]:
    """The queues of `consumers` whose lowest delivery is ready, earliest first."""
    return tx.all(Queue, _DUE, now=now, limit=limit, names=consumers)


def list_due_of_one(tx: Queries, now: datetime, limit: int, names: Sequence[str]) -> list[Queue]:
    """Like `list_due`, for the queues of one consumer under all its names."""
    return tx.all(Queue, _DUE_OF_ONE, now=now, limit=limit, names=names)


def list_backlog(tx: Queries, limit: int, consumers: Sequence[str]) -> list[Queue]:
    """The queues of `consumers` whose lowest delivery is an untried one of a backfill."""
    return tx.all(Queue, _BACKLOG, limit=limit, names=consumers)


def list_backlog_of_one(tx: Queries, limit: int, names: Sequence[str]) -> list[Queue]:
    """Like `list_backlog`, for the queues of one consumer under all its names."""
    return tx.all(Queue, _BACKLOG_OF_ONE, limit=limit, names=names)


def list_parked(tx: Queries, limit: int) -> list[Parked]:
    return tx.all(Parked, _PARKED, limit=limit)


def count_parked(tx: Queries) -> int:
    return int(tx.scalar(_COUNT_PARKED))


def count_waiting(tx: Queries) -> int:
    return int(tx.scalar(_COUNT_WAITING))


def retry_parked(tx: Queries, queue: Queue, now: datetime) -> int:
    """Retry the parked delivery of a queue; returns the number of changed rows."""
    return tx.run(_RETRY, of_consumer=queue.consumer, of_key=queue.order_key, now=now)


def skip_parked(tx: Queries, queue: Queue) -> int:
    """Delete the parked delivery of a queue, so that the next one is processed."""
    return tx.run(_SKIP, of_consumer=queue.consumer, of_key=queue.order_key)


def forget_order_keys(tx: Queries, limit: int) -> int:
    """Delete the rows of keys without deliveries; returns the number of checked keys."""
    unused = tx.scalars(_UNUSED_KEYS, limit=limit)
    if unused:
        tx.run(_FORGET_KEYS, keys=unused)
    return len(unused)
