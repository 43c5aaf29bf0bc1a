"""What each consumer has still to hear: one queue for each (consumer, order key), lowest first.

Invariants:
- Deliveries of one order key are numbered under that key's row lock, so number order is commit
  order; a later number is never visible before an earlier one.
- Only the lowest delivery of a (consumer, key) is ever worked on. Its row is locked while its
  effect runs and is deleted in the same transaction: the effect happens once.
- Trouble is kept on the lowest row itself (attempts, ready_at, parked, lease), so a failing or
  parked delivery holds its own key and no other.
"""

from datetime import datetime

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
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

from storage.columns import Instant, metadata
from storage.engine import Queries
from storage.personal import not_personal

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
    Column("consumer", String(100), primary_key=True),
    Column("order_key", String(200), primary_key=True),
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
    """The lowest delivery of one queue, with its state."""

    number: int
    event_id: str
    attempts: int
    ready_at: datetime
    parked: bool


class Queue(msgspec.Struct, frozen=True):
    """Names one queue."""

    consumer: str
    order_key: str


class Parked(msgspec.Struct):
    """A delivery that gave up, as `run.py parked` shows it."""

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
_LOWEST = (
    select(_d.number, _d.event_id, _d.attempts, _d.ready_at, _d.parked)
    .where(*_THIS_QUEUE)
    .order_by(_d.number)
    .limit(1)
    .with_for_update()
)
_DELETE = delete(deliveries).where(*_THIS)
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
_DUE = (
    select(_d.consumer, _d.order_key)
    .where(
        _d.parked.is_(False),
        _d.ready_at <= bindparam("now"),
        ~exists().where(
            _earlier.c.consumer == _d.consumer,
            _earlier.c.order_key == _d.order_key,
            _earlier.c.number < _d.number,
        ),
    )
    .order_by(_d.ready_at)
    .limit(bindparam("limit"))
)
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


def insert_deliveries(tx: Queries, told: list[tuple[str, str, datetime, tuple[str, ...]]]) -> None:
    """Queue each `(event id, order key, at, consumers)`; keys are locked in sorted order."""
    for event_id, order_key, at, consumers in sorted(told, key=lambda one: one[1]):
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


def find_lowest(tx: Queries, queue: Queue) -> Delivery | None:
    """The delivery whose turn it is, locked until the commit."""
    return tx.one(Delivery, _LOWEST, of_consumer=queue.consumer, of_key=queue.order_key)


def delete_delivery(tx: Queries, queue: Queue, number: int) -> None:
    tx.run(_DELETE, of_consumer=queue.consumer, of_key=queue.order_key, at_number=number)


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
    """Keep the delivery for later (or for an operator, when `parked`)."""
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
    """Keep a leased delivery until `ready_at`; False when another attempt has begun since."""
    renewed = tx.run(
        _RENEW,
        of_consumer=queue.consumer,
        of_key=queue.order_key,
        at_number=number,
        attempt=attempt,
        new_ready_at=ready_at,
    )
    return renewed == 1


def list_due(tx: Queries, now: datetime, limit: int) -> list[Queue]:
    """Queues whose lowest delivery is ready."""
    return tx.all(Queue, _DUE, now=now, limit=limit)


def list_parked(tx: Queries, limit: int) -> list[Parked]:
    return tx.all(Parked, _PARKED, limit=limit)


def count_parked(tx: Queries) -> int:
    return int(tx.scalar(_COUNT_PARKED))


def count_waiting(tx: Queries) -> int:
    return int(tx.scalar(_COUNT_WAITING))


def retry_parked(tx: Queries, queue: Queue, now: datetime) -> int:
    """Put a parked queue back to work; the number of deliveries that this touched."""
    return tx.run(_RETRY, of_consumer=queue.consumer, of_key=queue.order_key, now=now)


def skip_parked(tx: Queries, queue: Queue) -> int:
    """Give up the parked delivery of a queue, so that the next gets its turn."""
    return tx.run(_SKIP, of_consumer=queue.consumer, of_key=queue.order_key)
