"""Which consumers this database knows, and when an instance that served them was last seen.

Invariants:
- Each instance adds its consumers before it commits a delivery, and confirms them while it runs.
  So a consumer that nobody confirms is served by no running instance.
- Deliveries are given up only for consumers that nobody confirmed for a long time. Their rows are
  locked against a confirmation meanwhile: an instance that starts now finds them before or after.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Column, String, Table, bindparam, delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import not_personal
from storage.events.deliveries import deliveries

consumers = Table(
    "consumers",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("known_since", Instant, nullable=False),
    Column("served_at", Instant),
    info=not_personal("name known_since served_at"),
)


class Unserved(msgspec.Struct):
    """A consumer that has deliveries and is not among those asked about."""

    consumer: str
    deliveries: int
    served_at: datetime | None


_c, _d = consumers.c, deliveries.c
_insert = insert(consumers)
_MEET = _insert.on_conflict_do_update(
    index_elements=[_c.name],
    set_={"served_at": _insert.excluded.served_at},
    where=_c.served_at.is_(None),
).returning(_c.name)
_NOTE = _insert.on_conflict_do_nothing(index_elements=[_c.name])
_WAS_SERVED = select(_c.name).where(_c.name == bindparam("of_name"), _c.served_at.is_not(None))
_CONFIRM = (
    update(consumers)
    .where(_c.name.in_(bindparam("names", expanding=True)))
    .values(served_at=bindparam("now"))
)
_SERVED = select(_c.name).where(_c.served_at >= bindparam("since")).order_by(_c.name)
_LAPSED = (
    select(_c.name)
    .where(func.coalesce(_c.served_at, _c.known_since) < bindparam("before", type_=Instant))
    .order_by(_c.name)
    .with_for_update(read=True)
)
_UNSERVED = (
    select(_d.consumer, func.count(), func.max(_c.served_at))
    .select_from(deliveries.outerjoin(consumers, _c.name == _d.consumer))
    .where(_d.consumer.not_in(bindparam("names", expanding=True)))
    .group_by(_d.consumer)
    .order_by(_d.consumer)
    .limit(bindparam("limit"))
)
_OLD = (
    select(_d.event_id)
    .where(_d.consumer == bindparam("of_consumer"), _d.event_id < bindparam("before_id"))
    .limit(bindparam("limit"))
)
_GIVE_UP = delete(deliveries).where(
    _d.consumer == bindparam("of_consumer"),
    _d.event_id.in_(bindparam("event_ids", expanding=True)),
)
_STORED_UNDER = (
    select(_d.order_key, _d.number)
    .where(
        _d.consumer == bindparam("of_consumer"),
        (_d.attempts == 0) | _d.parked.is_(True) | (_d.ready_at <= bindparam("now")),
    )
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_THIS = (
    _d.consumer == bindparam("of_consumer"),
    _d.order_key == bindparam("of_key"),
    _d.number == bindparam("at_number"),
)
_same = deliveries.alias("same")
_MOVE = (
    update(deliveries)
    .where(
        *_THIS,
        ~exists().where(
            _same.c.consumer == bindparam("to_consumer"),
            _same.c.order_key == bindparam("of_key"),
            _same.c.number == bindparam("at_number"),
        ),
    )
    .values(consumer=bindparam("to_consumer"))
)
_DROP = delete(deliveries).where(*_THIS)


class Place(msgspec.Struct):
    order_key: str
    number: int


def meet_consumer(tx: Queries, name: str, now: datetime) -> bool:
    """Note a consumer that this instance serves; True when none served it on this database yet."""
    return tx.scalar(_MEET, name=name, known_since=now, served_at=now) is not None


def note_consumer(tx: Queries, name: str, now: datetime) -> None:
    """Note a consumer that has deliveries though nobody was seen who serves it."""
    tx.run(_NOTE, name=name, known_since=now, served_at=None)


def was_served(tx: Queries, name: str) -> bool:
    return tx.scalar(_WAS_SERVED, of_name=name) is not None


def confirm_served(tx: Queries, names: Sequence[str], now: datetime) -> None:
    """Say that this instance serves these consumers."""
    tx.run(_CONFIRM, names=names, now=now)


def list_served(tx: Queries, since: datetime) -> list[str]:
    """The consumers that some instance confirmed since then."""
    return tx.scalars(_SERVED, since=since)


def list_unserved(tx: Queries, but: Sequence[str], limit: int) -> list[Unserved]:
    """Consumers with deliveries that are not in `but`."""
    return tx.all(Unserved, _UNSERVED, names=but, limit=limit)


def list_lapsed(tx: Queries, before: datetime) -> list[str]:
    """Consumers that nobody confirmed since `before`; none can be confirmed until the commit."""
    return tx.scalars(_LAPSED, before=before)


def give_up(tx: Queries, consumer: str, before_id: str, limit: int) -> int:
    """Delete deliveries of events with ids (so times) below `before_id`; how many events."""
    old = tx.scalars(_OLD, of_consumer=consumer, before_id=before_id, limit=limit)
    if old:
        tx.run(_GIVE_UP, of_consumer=consumer, event_ids=old)
    return len(old)


def move_deliveries(tx: Queries, former: str, name: str, now: datetime, limit: int) -> int:
    """Store deliveries under the consumer's present name; how many.

    Those that somebody works on, and those that wait after a failure, stay for later. What both
    names have is kept once.
    """
    places = tx.all(Place, _STORED_UNDER, of_consumer=former, now=now, limit=limit)
    for place in places:
        this = {"of_consumer": former, "of_key": place.order_key, "at_number": place.number}
        if not tx.run(_MOVE, **this, to_consumer=name):
            tx.run(_DROP, **this)
    return len(places)
