"""The state of the database once everything is settled; the checker compares the record with it."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, func, select

from storage.consulting.availability.schedules import blocks
from storage.consulting.booking import BookingRow, bookings
from storage.engine.database import Queries
from storage.events.deliveries import deliveries
from storage.events.holds import Hold, holds, pools
from storage.events.log import events, stream_events, stream_heads
from storage.events.timers import timers
from storage.platform.chat.conversations import members
from storage.platform.chat.members import Interval
from storage.platform.chat.messages import MessageRow, messages
from storage.platform.presence import PresenceRow, presences
from tests.chaos.records import Stream


class Logged(msgspec.Struct, frozen=True):
    """An event with its number in a stream."""

    stream: str
    seq: int
    id: str
    name: str
    at: datetime
    data: str

    def read(self) -> Any:
        return msgspec.json.decode(self.data)


class Head(msgspec.Struct, frozen=True):
    stream: str
    seq: int


class Pool(msgspec.Struct, frozen=True):
    """A block's places."""

    id: str
    capacity: int
    taken: int


class Undone(msgspec.Struct, frozen=True):
    """An event that a consumer still has to process."""

    consumer: str
    order_key: str
    attempts: int
    ready_at: datetime
    parked: bool
    error: str | None


@dataclass
class Truth:
    """All state that the checker compares."""

    logs: dict[Stream, list[Logged]] = field(default_factory=dict)
    heads: dict[Stream, int] = field(default_factory=dict)
    messages: list[MessageRow] = field(default_factory=list)
    members: list[Interval] = field(default_factory=list)
    bookings: list[BookingRow] = field(default_factory=list)
    pools: list[Pool] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    undone: list[Undone] = field(default_factory=list)
    online: dict[str, bool] = field(default_factory=dict)
    offline_events: list[tuple[str, datetime]] = field(default_factory=list)
    """The user and the time of departure of each USER_OFFLINE."""

    def intervals(self, conversation_id: str, user_id: str) -> list[Interval]:
        """The intervals of numbers in which a user was a member."""
        return [
            one
            for one in self.members
            if one.conversation_id == conversation_id and one.user_id == user_id
        ]


_LOGGED = (
    select(
        stream_events.c.stream,
        stream_events.c.seq,
        events.c.id,
        func.replace(func.replace(events.c.name, "platform.", ""), "consulting.", ""),
        events.c.at,
        events.c.data,
    )
    .join(events, events.c.id == stream_events.c.event_id)
    .order_by(stream_events.c.stream, stream_events.c.seq)
)
_HEADS = select(stream_heads.c.stream, stream_heads.c.seq)
_MESSAGES = (
    select(messages)
    .where(messages.c.kind != "system")  # joins and leaves, which are compared separately
    .order_by(messages.c.conversation_id, messages.c.seq)
)
_MEMBERS = select(*(members.c[name] for name in Interval.__struct_fields__)).order_by(
    members.c.from_seq
)
_BOOKINGS = select(bookings).order_by(bookings.c.id)
_POOLS = select(pools.c.id, pools.c.capacity, pools.c.taken).join(blocks, blocks.c.id == pools.c.id)
_HOLDS = select(
    holds.c.pool_id,
    holds.c.for_id,
    holds.c.kind,
    holds.c.holder_id,
    holds.c.taken_at,
    holds.c.expires_at,
)
_PRESENCES = select(presences)
_OFFLINE = select(events.c.data).where(events.c.name == "platform.USER_OFFLINE")
_UNDONE = select(
    deliveries.c.consumer,
    deliveries.c.order_key,
    deliveries.c.attempts,
    deliveries.c.ready_at,
    deliveries.c.parked,
    deliveries.c.error,
)
_DUE = select(func.count()).select_from(timers).where(timers.c.due_at < bindparam("before"))


def read_truth(tx: Queries) -> Truth:
    """Read all of it from one snapshot."""
    truth = Truth(
        heads=heads_of(tx),
        messages=tx.all(MessageRow, _MESSAGES),
        members=tx.all(Interval, _MEMBERS),
        bookings=tx.all(BookingRow, _BOOKINGS),
        pools=tx.all(Pool, _POOLS),
        holds=tx.all(Hold, _HOLDS),
        undone=undone_of(tx),
        online=online_of(tx),
    )
    logs: dict[Stream, list[Logged]] = defaultdict(list)
    for logged in tx.all(Logged, _LOGGED):
        logs[stream_of(logged.stream)].append(logged)
    truth.logs = dict(logs)
    for data in map(msgspec.json.decode, tx.scalars(_OFFLINE)):
        truth.offline_events.append((data["user_id"], datetime.fromisoformat(data["at"])))
    return truth


def heads_of(tx: Queries) -> dict[Stream, int]:
    """The last number of every stream."""
    return {stream_of(head.stream): head.seq for head in tx.all(Head, _HEADS)}


def online_of(tx: Queries) -> dict[str, bool]:
    return {row.user_id: row.online for row in tx.all(PresenceRow, _PRESENCES)}


def undone_of(tx: Queries) -> list[Undone]:
    return tx.all(Undone, _UNDONE)


def is_something_due(tx: Queries, before: datetime) -> bool:
    """Whether a delivery is waiting, or a timer is due before `before`."""
    return bool(undone_of(tx) or tx.scalar(_DUE, before=before))


def stream_of(name: str) -> Stream:
    namespace, _, room = name.partition("|")
    return namespace, room
