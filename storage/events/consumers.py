"""The consumers that this database knows, with the last time that an instance served them.

Invariants:
- Each instance inserts its consumers before it commits a delivery, and confirms them while it runs.
  A consumer without recent confirmation is therefore served by no running instance.
- Deliveries are deleted only for consumers without confirmation for a long time. The rows of these
  consumers are locked meanwhile, so that a starting instance confirms them before or after.
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
    """A consumer outside a given list that has deliveries, with their number."""

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
    """Record that this instance serves a consumer; returns whether it is the first to do so."""
    return tx.scalar(_MEET, name=name, known_since=now, served_at=now) is not None


def note_consumer(tx: Queries, name: str, now: datetime) -> None:
    """Record a consumer that has deliveries but is not served by any known instance."""
    tx.run(_NOTE, name=name, known_since=now, served_at=None)


def was_served(tx: Queries, name: str) -> bool:
    return tx.scalar(_WAS_SERVED, of_name=name) is not None


def confirm_served(tx: Queries, names: Sequence[str], now: datetime) -> None:
    """Confirm that an instance serves these consumers."""
    tx.run(_CONFIRM, names=names, now=now)


def list_served(tx: Queries, since: datetime) -> list[str]:
    """The consumers that an instance confirmed at or after `since`."""
    return tx.scalars(_SERVED, since=since)


def list_unserved(tx: Queries, but: Sequence[str], limit: int) -> list[Unserved]:
    """The consumers with deliveries that are not in `but`."""
    return tx.all(Unserved, _UNSERVED, names=but, limit=limit)


def list_lapsed(tx: Queries, before: datetime) -> list[str]:
    """The consumers without confirmation since `before`, locked until the commit."""
    return tx.scalars(_LAPSED, before=before)


def give_up(tx: Queries, consumer: str, before_id: str, limit: int) -> int:
    """Delete a consumer's deliveries of events with ids below `before_id`.

    Ids are ordered by time. Returns the number of events.
    """
    old = tx.scalars(_OLD, of_consumer=consumer, before_id=before_id, limit=limit)
    if old:
        tx.run(_GIVE_UP, of_consumer=consumer, event_ids=old)
    return len(old)


def move_deliveries(tx: Queries, former: str, name: str, now: datetime, limit: int) -> int:
    """Move deliveries from a former name of a consumer to its present one; returns the number.

    Deliveries that are locked or wait for a retry stay for a later call. A delivery that exists
    under both names is kept once.
    """
    places = tx.all(Place, _STORED_UNDER, of_consumer=former, now=now, limit=limit)
    for place in places:
        this = {"of_consumer": former, "of_key": place.order_key, "at_number": place.number}
        if not tx.run(_MOVE, **this, to_consumer=name):
            tx.run(_DROP, **this)
    return len(places)
