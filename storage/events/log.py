"""Stored events and their sequence numbers, which are consecutive in each stream, in commit order.

Invariants:
- One transaction writes an event's row, its numbers and the change that the event describes.
- A transaction takes a stream's next number by updating the stream's head row. It holds the row's
  lock until the commit, so numbers become visible in order.
- A transaction takes its numbers last and in the sorted order of the streams, so that two
  transactions cannot deadlock. The exception is `take_number`: a row with a number of its own (a
  message) takes it early, and the event published for the row uses this number.
- Deliveries of one order key are numbered under the lock of that key's row, in the same way.
"""

from collections import defaultdict
from datetime import datetime
from typing import Any

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
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, Json, metadata
from storage.engine.database import Queries
from storage.engine.personal import ClearColumns, KeptJson, not_personal, personal
from storage.events.deliveries import deliveries, insert_deliveries

stream_heads = Table(
    "stream_heads",
    metadata,
    Column("stream", String(200), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("moved_at", Instant, nullable=False),
    Index("ix_stream_heads_moved", "moved_at", "stream"),
    info=not_personal("stream seq moved_at"),
)
events = Table(
    "events",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("data", Text, nullable=False),
    Column("private", Json),
    Column("sealed", Boolean, nullable=False),
    Column("subject", String(100)),
    Column("order_key", String(200), nullable=False),
    Column("actor_id", String(36)),
    Column("address", String(64)),
    Column("correlation_id", String(36)),
    Column("membership", Json),
    Column("told_to", String(100)),
    Index("ix_events_subject", "subject"),
    info=personal(
        on_erasure_of={"actor_id": ClearColumns({"address": None})},
        unchanged="id name version at data private sealed subject order_key actor_id "
        "correlation_id membership told_to",
        not_exported="id name version at data private sealed subject order_key actor_id address "
        "correlation_id membership told_to",
        kept_json=KeptJson("data private", event_in="name"),
        plain_json="membership",
    ),
)
stream_events = Table(
    "stream_events",
    metadata,
    Column("stream", String(200), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("event_id", String(36), nullable=False, index=True),
    info=not_personal("stream seq event_id"),
)


class Record(msgspec.Struct):
    """An event to be stored, with the streams and the consumers that receive it."""

    id: str
    name: str
    version: int
    at: datetime
    data: str
    private: dict[str, Any] | None
    sealed: bool
    subject: str | None
    order_key: str
    streams: tuple[str, ...]
    consumers: tuple[str, ...]
    membership: tuple["Membership", ...]
    actor_id: str | None
    address: str | None
    correlation_id: str | None


class Membership(msgspec.Struct, frozen=True, array_like=True):
    """A user who joins or leaves `stream` with the event that has the number `seq` in it."""

    user_id: str
    stream: str
    joins: bool
    seq: int


class Numbered(msgspec.Struct, frozen=True):
    """A stored event with its number in one stream, as fan-out and replay send it to clients.

    `name` is the name that clients receive.
    """

    stream: str
    seq: int
    id: str
    name: str
    at: datetime
    data: str
    membership: tuple[Membership, ...] = ()


class StreamRow(msgspec.Struct):
    stream: str
    seq: int
    id: str
    name: str
    at: datetime
    data: str
    membership: list[tuple[str, str, bool, int]] | None


class StoredEvent(msgspec.Struct):
    """An event as consumers receive it; `data` is encrypted if the event is `sealed`."""

    id: str
    name: str
    at: datetime
    data: str
    private: dict[str, Any] | None
    sealed: bool
    actor_id: str | None
    correlation_id: str | None


class NamedNumber(msgspec.Struct, frozen=True):
    """The number of an event in a stream, with its stored name."""

    seq: int
    name: str


class Head(msgspec.Struct, frozen=True):
    stream: str
    seq: int
    moved_at: datetime


_head_insert = insert(stream_heads)
_MOVE_HEAD = _head_insert.on_conflict_do_update(
    index_elements=[stream_heads.c.stream],
    set_={
        "seq": stream_heads.c.seq + _head_insert.excluded.seq,
        "moved_at": _head_insert.excluded.moved_at,
    },
).returning(stream_heads.c.seq)
_INSERT_EVENT = insert(events)
_INSERT_NUMBER = insert(stream_events)
_HEAD = select(stream_heads.c.seq).where(stream_heads.c.stream == bindparam("stream"))
_HEADS = select(stream_heads.c.stream, stream_heads.c.seq, stream_heads.c.moved_at).where(
    stream_heads.c.stream.in_(bindparam("streams", expanding=True))
)
_MOVED = (
    select(stream_heads.c.stream, stream_heads.c.seq, stream_heads.c.moved_at)
    .where(
        tuple_(stream_heads.c.moved_at, stream_heads.c.stream)
        > tuple_(bindparam("since", type_=Instant), bindparam("after", type_=String))
    )
    .order_by(stream_heads.c.moved_at, stream_heads.c.stream)
    .limit(bindparam("limit"))
)
_SINCE = (
    select(
        stream_events.c.stream,
        stream_events.c.seq,
        events.c.id,
        events.c.name,
        events.c.at,
        events.c.data,
        events.c.membership,
    )
    .join(events, events.c.id == stream_events.c.event_id)
    .where(
        stream_events.c.stream == bindparam("stream"),
        stream_events.c.seq > bindparam("after"),
        stream_events.c.seq <= bindparam("upto"),
    )
    .order_by(stream_events.c.seq)
    .limit(bindparam("limit"))
)
_LAST_NAMED = (
    select(stream_events.c.seq, events.c.name)
    .join(events, events.c.id == stream_events.c.event_id)
    .where(
        stream_events.c.stream == bindparam("stream"),
        events.c.name.in_(bindparam("names", expanding=True)),
    )
    .order_by(stream_events.c.seq.desc())
    .limit(1)
)
_WIPE_SUBJECT = (
    update(events)
    .where(events.c.subject == bindparam("of_subject"), events.c.sealed.is_(False))
    .values(data=bindparam("new_data"))
)
_WIPE_EVENT = (
    update(events)
    .where(events.c.id == bindparam("event_id"))
    .values(data=bindparam("new_data"), address=None)
)
_BY_ID = select(
    events.c.id,
    events.c.name,
    events.c.at,
    events.c.data,
    events.c.private,
    events.c.sealed,
    events.c.actor_id,
    events.c.correlation_id,
).where(events.c.id == bindparam("event_id"))
_PENDING = exists().where(deliveries.c.event_id == events.c.id)
_OLD = (
    select(events.c.id)
    .where(events.c.id < bindparam("before_id"), ~_PENDING)
    .order_by(events.c.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_FORGET_NUMBERS = delete(stream_events).where(
    stream_events.c.event_id.in_(bindparam("event_ids", expanding=True))
)
_FORGET_EVENTS = delete(events).where(events.c.id.in_(bindparam("event_ids", expanding=True)))


def take_number(tx: Queries, stream: str, at: datetime, count: int = 1) -> int:
    """Advance the head of `stream` by `count`; returns the new head, locked until the commit."""
    number: int = tx.scalar(_MOVE_HEAD, stream=stream, seq=count, moved_at=at)
    return number


def insert_events(
    tx: Queries, records: list[Record], taken: dict[str, list[int]]
) -> list[Numbered]:
    """Store `records` with their numbers and deliveries.

    `taken` has the numbers that the transaction took early, by stream.
    """
    for record in records:
        _insert_event(tx, record)
    insert_deliveries(tx, [(r.id, r.order_key, r.at, r.consumers) for r in records])
    numbers = _assign_numbers(tx, records, taken)
    numbered = []
    for record in records:
        for stream in record.streams:
            seq = numbers[stream].pop(0)
            tx.run(_INSERT_NUMBER, stream=stream, seq=seq, event_id=record.id)
            numbered.append(_as_numbered(record, stream, seq))
    return numbered


def _assign_numbers(
    tx: Queries, records: list[Record], taken: dict[str, list[int]]
) -> dict[str, list[int]]:
    """The numbers of `records` in each stream, in the order of the records."""
    wanted: dict[str, int] = defaultdict(int)
    for record in records:
        for stream in record.streams:
            wanted[stream] += 1
    numbers = {}
    for stream in sorted(wanted):
        early = taken.get(stream, [])
        rest = wanted[stream] - len(early)
        if rest < 0:
            raise RuntimeError(f"more numbers were taken for {stream} than its events use")
        last = take_number(tx, stream, records[-1].at, rest) if rest else 0
        numbers[stream] = [*early, *range(last - rest + 1, last + 1)]
    left = set(taken) - set(wanted)
    if left:
        raise RuntimeError(f"numbers were taken for {sorted(left)} but no event used them")
    return numbers


def _insert_event(tx: Queries, record: Record) -> None:
    tx.run(
        _INSERT_EVENT,
        id=record.id,
        name=record.name,
        version=record.version,
        at=record.at,
        data=record.data,
        private=record.private,
        sealed=record.sealed,
        subject=record.subject,
        order_key=record.order_key,
        actor_id=record.actor_id,
        address=record.address,
        correlation_id=record.correlation_id,
        membership=record.membership or None,
    )


def _as_numbered(record: Record, stream: str, seq: int) -> Numbered:
    name = name_on_the_wire(record.name)
    return Numbered(stream, seq, record.id, name, record.at, record.data, record.membership)


def name_on_the_wire(stored: str) -> str:
    """The name that clients receive for an event stored as `<system>.<NAME>`: `NAME`."""
    return stored.rpartition(".")[2]


def find_last(tx: Queries, stream: str, names: list[str]) -> NamedNumber | None:
    """The latest stored event of a stream with one of these names."""
    return tx.one(NamedNumber, _LAST_NAMED, stream=stream, names=names)


def get_head(tx: Queries, stream: str) -> int:
    """The last number of `stream`; 0 if it never had an event."""
    return tx.scalar(_HEAD, stream=stream) or 0


def list_heads(tx: Queries, streams: list[str]) -> dict[str, int]:
    """The last number of each of `streams`."""
    heads = dict.fromkeys(streams, 0)
    heads.update((h.stream, h.seq) for h in tx.all(Head, _HEADS, streams=streams))
    return heads


def list_moved_heads(tx: Queries, since: datetime, after: str, limit: int) -> list[Head]:
    """The heads after `(since, after)`, ordered by time and stream; `""` sorts first."""
    return tx.all(Head, _MOVED, since=since, after=after, limit=limit)


def list_since(tx: Queries, stream: str, after: int, upto: int, limit: int) -> list[Numbered]:
    """The events of `stream` with numbers in (after, upto], in order, at most `limit`."""
    rows = tx.all(StreamRow, _SINCE, stream=stream, after=after, upto=upto, limit=limit)
    return [
        Numbered(
            row.stream,
            row.seq,
            row.id,
            name_on_the_wire(row.name),
            row.at,
            row.data,
            tuple(Membership(*change) for change in row.membership or ()),
        )
        for row in rows
    ]


def find_event(tx: Queries, event_id: str) -> StoredEvent | None:
    return tx.one(StoredEvent, _BY_ID, event_id=event_id)


def rewrite_subject(tx: Queries, subject: str, data: str) -> None:
    """Replace the data of every unsealed event about `subject`; numbers and names stay."""
    tx.run(_WIPE_SUBJECT, of_subject=subject, new_data=data)


def wipe_event(tx: Queries, event_id: str) -> None:
    """Clear the data and the address of a sealed event after its delivery."""
    tx.run(_WIPE_EVENT, event_id=event_id, new_data="")


def forget_events(tx: Queries, before_id: str, limit: int) -> int:
    """Delete events with ids below `before_id`; returns the number of deleted events.

    Ids are UUIDv7, so they are ordered by time. Heads stay forever. An event stays while it has a
    delivery.
    """
    old = tx.scalars(_OLD, before_id=before_id, limit=limit)
    if old:
        tx.run(_FORGET_NUMBERS, event_ids=old)
        tx.run(_FORGET_EVENTS, event_ids=old)
    return len(old)
