"""A transaction as domains see it: its statements, its time, its actor, and what it publishes.

Invariants:
- A plain function has effects only through its `Transaction`, and may run again from the start.
  Statements run at once. Events and timers are stored in the transaction. Rooms and the relay get
  them after the commit, as they get ephemeral events.
- Events take their sequence numbers at the end of the function (`flush`), so a transaction locks
  stream heads only for a short time.
"""

from datetime import datetime
from typing import Any, Literal

import msgspec

from handlers.kit.contract import Event, encode, stored_name
from handlers.kit.ids import new_id
from handlers.kit.kernel import Actor, EphemeralEvent, Kernel, Logged, Origin, Stored, Wake
from handlers.kit.measures import Counted, Counter
from rooms.names import stream
from storage.engine.database import Queries
from storage.events import log as events
from storage.events import timers


class Transaction:
    """One transaction: its statements (as `Queries`), its time, its actor, and its events."""

    def __init__(
        self, queries: Queries, kernel: Kernel, actor: Actor | None, origin: Origin
    ) -> None:
        self.one, self.all = queries.one, queries.all
        self.scalar, self.scalars = queries.scalar, queries.scalars
        self.run, self.run_many = queries.run, queries.run_many
        self.effects = queries.effects
        self._queries = queries
        self.dialect, self.serializable = queries.dialect, queries.serializable
        self.kernel = kernel
        self.rules = kernel.rules
        self.keys = kernel.keys
        self.instance_id = kernel.instance_id
        self.now = kernel.clock.now()
        self.origin = origin
        self.cause: events.StoredEvent | None = None
        """The event that a consumer handles in this transaction; None in a command."""
        self._actor = actor
        self._published: list[Event] = []
        self._taken: dict[str, list[int]] = {}
        self.bytes_kept = 0

    @property
    def rows_read(self) -> int:
        return self._queries.rows_read

    @property
    def rows_written(self) -> int:
        return self._queries.rows_written

    @property
    def actor(self) -> Actor:
        """The caller; raises RuntimeError in a consumer and for a visitor, which have none."""
        if self._actor is None:
            raise RuntimeError("this transaction has no actor")
        return self._actor

    @property
    def author_id(self) -> str | None:
        """The user who caused this transaction: the caller, or the author of a consumer's event."""
        if self._actor is not None:
            return self._actor.id
        return self.cause.actor_id if self.cause is not None else None

    @property
    def visitor(self) -> bool:
        return self._actor is None

    def new_id(self) -> str:
        return new_id(self.now)

    def publish(self, event: Event) -> None:
        """Publish `event`, if this transaction commits."""
        self._published.append(event)

    def publish_later(self, event: Event, due: datetime, timer: str) -> None:
        """Publish `event` at `due`, unless `timer` is set again or cancelled before then."""
        timers.set_timer(self, timer, due, stored_name(type(event)), encode(event))
        self.effects.append(Wake(due=due))

    def publish_once_later(self, event: Event, due: datetime, timer: str) -> None:
        """`publish_later`, unless `timer` is set already: it then keeps its time and its event.

        In both cases, its event is published after this transaction commits, so a consumer of it
        sees what this transaction stored.
        """
        moment = timers.join_timer(self, timer, due, stored_name(type(event)), encode(event))
        self.effects.append(Wake(due=moment))

    def cancel_timer(self, timer: str) -> None:
        timers.cancel_timer(self, timer)

    def take_number(self, namespace: str, room: str) -> int:
        """Take the sequence number of the next event that this transaction publishes in a room."""
        name = stream(namespace, room)
        number = events.take_number(self, name, self.now)
        self._taken.setdefault(name, []).append(number)
        return number

    def head(self, namespace: str, room: str) -> int:
        """The last sequence number of a room, which a view of the room's state reflects."""
        return events.get_head(self, stream(namespace, room))

    def publish_ephemeral(self, ephemeral: EphemeralEvent) -> None:
        """Send an event that is not stored to a room, after the commit."""
        self.effects.append(ephemeral)

    def count(self, counter: Counter, *values: str) -> None:
        """Increase a declared counter after the commit; `values` are those of its labels."""
        self.effects.append(Counted(counter, values))

    def log(
        self, level: Literal["info", "warning", "error"], logger: str, event: str, **fields: Any
    ) -> None:
        """Write a log entry after the commit, once; `fields` contain no data of clients."""
        self.effects.append(Logged(level, logger, event, fields))

    def flush(self) -> None:
        """Store the published events with their numbers; called once, at the end."""
        if not self._published:
            if self._taken:
                raise RuntimeError(f"numbers taken but not used: {sorted(self._taken)}")
            return
        records = [self.record_of(event) for event in self._published]
        self.bytes_kept += sum(len(record.data) for record in records)
        self.effects.extend(events.insert_events(self, records, self._taken))
        self.effects.extend(Stored(event.NAME) for event in self._published)
        self.effects.extend(Wake(r.consumers, r.order_key) for r in records if r.consumers)

    def record_of(self, event: Event) -> events.Record:
        """`event` as this transaction stores it."""
        private = {name: getattr(event, name) for name in event.PRIVATE} or None
        data = encode(event)
        if private is not None:
            fields = msgspec.to_builtins(event)
            data = encode({n: value for n, value in fields.items() if n not in private})
        return events.Record(
            id=new_id(self.now),
            name=stored_name(type(event)),
            version=event.VERSION,
            at=self.now,
            data=self.keys.seal(data) if event.SEALED else data,
            private=private,
            sealed=event.SEALED,
            subject=event.about(),
            order_key=event.key(),
            streams=tuple(stream(event.NAMESPACE or "", room) for room in event.rooms()),
            consumers=self._consumers_of(event),
            membership=event.membership(),
            actor_id=self._actor.id if self._actor else None,
            address=self.origin.address or None,
            correlation_id=self.origin.correlation_id or None,
        )

    def _consumers_of(self, event: Event) -> tuple[str, ...]:
        hearers = self.kernel.hearers.get(type(event), ())
        return tuple(one.name for one in hearers if one.filter(self.rules, event))
