"""What a command, a consumer and the plain functions inside a transaction have at hand.

Invariants:
- A plain function has no effect but through its `Transaction`: statements run at once, events,
  timers and ephemeral events are handed on after the commit. It may be run again from the start.
- Numbers are taken when the function is done (`flush`), so the locks on stream heads are short.
- With a `request_id`, the claim, the change and its answer are one transaction; a command of
  several transactions names those before the last one (`handlers/kit/idempotency.py`).
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import msgspec

from handlers.kit.contract import Event, encode, stored_name
from handlers.kit.cost import Spent
from handlers.kit.errors import Refusal
from handlers.kit.idempotency import (
    Attempt,
    Held,
    close,
    to_its_outcome,
    type_of_step,
    while_renewing,
)
from handlers.kit.ids import new_id
from handlers.kit.kernel import Actor, Audience, EphemeralEvent, Kernel, Origin, Stored, Wake
from rooms.names import stream
from storage.engine.database import Kind, Queries, StorageUnavailable
from storage.engine.isolation import is_serializable
from storage.events import log as events
from storage.events import timers
from storage.events.idempotency import Key

P = ParamSpec("P")
T = TypeVar("T")


class Transaction:
    """One transaction: its statements (as `Queries`), its time, its actor, and what it says."""

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
        """The stored event that this transaction reacts to, in a consumer's."""
        self._actor = actor
        self._said: list[Event] = []
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
        """Who acts; consumers and visitors have none, and must not ask."""
        if self._actor is None:
            raise RuntimeError("nobody acts in this transaction")
        return self._actor

    @property
    def visitor(self) -> bool:
        return self._actor is None

    def new_id(self) -> str:
        return new_id(self.now)

    def publish(self, event: Event) -> None:
        """Announce a fact, once this transaction commits."""
        self._said.append(event)

    def publish_later(self, event: Event, due: datetime, timer: str) -> None:
        """Announce it at `due`, unless `timer` is set again or cancelled before."""
        timers.set_timer(self, timer, due, stored_name(type(event)), encode(event))
        self.effects.append(Wake(due=due))

    def cancel_timer(self, timer: str) -> None:
        timers.cancel_timer(self, timer)

    def take_number(self, namespace: str, room: str) -> int:
        """The number that the next event published in this room will have."""
        name = stream(namespace, room)
        number = events.take_number(self, name, self.now)
        self._taken.setdefault(name, []).append(number)
        return number

    def head(self, namespace: str, room: str) -> int:
        """The last number of a room: what a query that returns its state reflects."""
        return events.get_head(self, stream(namespace, room))

    def publish_ephemeral(self, ephemeral: EphemeralEvent) -> None:
        """Say something unstored to a room, after the commit."""
        self.effects.append(ephemeral)

    def flush(self) -> None:
        """Store what was said, with its numbers; called once, at the end."""
        if not self._said:
            if self._taken:
                raise RuntimeError(f"numbers taken but not used: {sorted(self._taken)}")
            return
        records = [self.record_of(event) for event in self._said]
        self.bytes_kept += sum(len(record.data) for record in records)
        self.effects.extend(events.insert_events(self, records, self._taken))
        self.effects.extend(Stored(event.NAME) for event in self._said)
        self.effects.extend(Wake(r.consumers, r.order_key) for r in records if r.consumers)

    def record_of(self, event: Event) -> events.Record:
        """The event as it is stored, said in this transaction."""
        private = {name: getattr(event, name) for name in event.PRIVATE} or None
        data = encode(event)
        if private is not None:
            fields = msgspec.structs.asdict(event)
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


Plain = Callable[Concatenate[Transaction, P], T]


@dataclass
class Context:
    """What a command has: its caller, its socket, and the doors to the database and the rooms."""

    kernel: Kernel
    actor: Actor | None = None
    origin: Origin = field(default_factory=Origin)
    command: str = ""
    socket: Any = None
    steps: Mapping[str, type[msgspec.Struct]] = field(default_factory=dict)
    """What its steps give, by name."""
    request_id: str | None = None
    payload: bytes = b""
    kind: Kind = "commands"
    """For whom it works: what waits for connections, and how many it may take, goes by that."""
    after_ack: list[Callable[[], None]] = field(default_factory=list)
    spent: Spent = field(default_factory=Spent)
    """What its transactions have cost so far."""
    when_done: list[Callable[[], None]] = field(default_factory=list)
    """What happens once the command is done, by this attempt or by an earlier one."""
    _leased: list[str] = field(default_factory=list)
    _listened: list[str] = field(default_factory=list)
    _attempt: Attempt | None = None
    _has_stepped: bool = False
    _finished: bool = False

    async def transact(self, work: Plain[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the plain function `work(tx, …)` in one transaction and commit it.

        With a `request_id` this is the command's last transaction: what it gives is the answer,
        also to each repetition.
        """
        if self._finished:
            raise RuntimeError("only the last transaction of a command is no step")
        run = partial(self._finish, lambda tx: work(tx, *args, **kwargs))
        value = await self._commit(run, serializable=is_serializable(work))
        self._finished = self.request_id is not None
        return cast(T, value)

    async def step(self, name: str, work: Plain[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a transaction that others of the same command follow.

        With a `request_id`, the step is done once: a repetition after it gets the kept value, of
        the type that the command declares (`steps`). The id is held for what follows.
        """
        kind = type_of_step(work)
        if self.command and self.steps.get(name) is not kind:
            raise RuntimeError(f"{self.command} does not declare that its step {name} gives {kind}")
        self._has_stepped = True
        run = partial(self._keep_step, name, kind, lambda tx: work(tx, *args, **kwargs))
        value = await self._commit(run, serializable=is_serializable(work))
        if self._attempt is not None:
            self._attempt.began = True
        return cast(T, value)

    async def outside(self, act: Awaitable[T]) -> T:
        """What `act` gives, which has effects elsewhere; no other attempt is at it meanwhile.

        It needs a bound of its own on its time. An earlier attempt may have done it already and
        then died: pass on an idempotency key that a step before it kept. With a `request_id` there
        must be such a step, which took the lease.
        """
        if self._attempt is None:
            if self.request_id is not None and self.actor is not None:
                close(act)
                raise RuntimeError("work outside needs a step before it")
            return await act
        return await while_renewing(act, partial(self.keep_up, self._attempt.lease))

    async def release(self) -> None:
        """The command failed: let a repetition begin at once."""
        if self._attempt is not None and self._attempt.began:
            with suppress(StorageUnavailable):  # the lease ends by itself
                await self.keep_up(self._attempt.release)

    async def read(self, work: Plain[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the plain function on one snapshot; it must not change anything."""

        def run(queries: Queries) -> T:
            tx = Transaction(queries, self.kernel, self.actor, self.origin)
            try:
                return work(tx, *args, **kwargs)
            finally:
                self.spent.add(tx)

        return await self.kernel.database.read(run, kind=self.kind)

    async def keep_up(self, work: Callable[[Transaction], None]) -> None:
        """Run upkeep that is due in a transaction of its own; the command is not charged for it."""

        def run(queries: Queries) -> None:
            work(Transaction(queries, self.kernel, None, self.origin))

        await self.kernel.database.transact(run, kind=self.kind)

    async def follow(self, namespace: str, room: str, read: Callable[[], Awaitable[T]]) -> T:
        """Let this socket hear `room` from what `read` returns (its `seq`) on, after the ack."""
        answer: list[T] = []

        async def snapshot() -> int:
            answer.append(await read())
            return int(getattr(answer[0], "seq"))  # noqa: B009 - T is any view that carries a seq

        release = await self._audience.follow(self.socket, stream(namespace, room), snapshot)
        self.after_ack.append(release)
        return answer[0]

    @property
    def is_half_done(self) -> bool:
        """Whether steps are kept, and what was begun outside may have happened."""
        return self._attempt is not None and self._attempt.began

    @property
    def user_id(self) -> str:
        """Who acts; only for commands that visitors cannot use."""
        assert self.actor is not None
        return self.actor.id

    def unfollow(self, namespace: str, room: str) -> None:
        self._stop_hearing(stream(namespace, room))

    async def listen(self, namespace: str, *rooms: str) -> Callable[[], None]:
        """Let this socket hear the ephemeral events of `rooms`; raises TooMany, and then of none.

        Returns a function that sends those of the meantime again. Call it once the answer, which
        may be older than they are, is written.
        """
        names = [stream(namespace, room) for room in rooms]
        self._listened += [name for name in names if name not in self.socket.listens]
        self.socket.listen(names)
        return await self._audience.listen(self.socket, names)

    def publish_ephemeral(self, namespace: str, room: str, name: str, data: Any) -> None:
        """Say something unstored to a room, but not to this socket."""
        self._audience.publish_ephemeral(
            EphemeralEvent(namespace, room, name, data, skip=self.socket)
        )

    def hold_lease(self, subject: str) -> str:
        """Hold a lease on `subject` while this socket lasts; `@domain.disconnects` runs at its end.

        Returns the lease's id, which stays the same while the socket holds it; raises TooMany.
        A lease is this socket's own, so a repeated request is done again instead of answered from
        what is kept. Therefore this comes before the first step.
        """
        if self._has_stepped:
            raise RuntimeError("a command holds its leases before its first step")
        self.request_id = None
        fresh = new_id(self.kernel.clock.now())
        lease_id: str = self.socket.hold_lease(subject, fresh)
        if lease_id == fresh:
            self._leased.append(subject)
        return lease_id

    @property
    def leased(self) -> list[str]:
        """The subjects that this socket is at."""
        return list(self.socket.leases)

    def forget(self, subject: str) -> None:
        """Drop the lease: the subject is over, so nothing has to happen when the socket is gone."""
        self.socket.leases.pop(subject, None)

    def refused(self) -> None:
        """The command was refused: drop the leases and subscriptions that it took."""
        for subject in self._leased:
            self.forget(subject)
        for name in self._listened:
            self._stop_hearing(name)

    def _stop_hearing(self, name: str) -> None:
        self.socket.listens.discard(name)
        self._audience.unfollow(self.socket, name)

    @property
    def _audience(self) -> Audience:
        assert self.kernel.audience is not None
        return self.kernel.audience

    async def _commit(self, work: Callable[[Transaction], Any], *, serializable: bool) -> Any:
        """Run `work` in one transaction, once no other attempt at the same request is under way."""
        transact = partial(
            self.kernel.database.transact,
            partial(self._run, work),
            kind=self.kind,
            serializable=serializable,
        )
        if self.request_id is None or self.actor is None:
            return await transact()
        if self._attempt is None:
            self._attempt = self._make_attempt(self.actor.id, self.request_id)
        # There is a claim, which is a change, before anything can be refused.
        return await to_its_outcome(partial(transact, savepoint=True))

    def _run(self, work: Callable[[Transaction], Any], queries: Queries) -> Any:
        tx = Transaction(queries, self.kernel, self.actor, self.origin)
        waits = False
        try:
            return work(tx)
        except Held:
            waits = True  # which is not charged
            raise
        except Refusal as refusal:
            if refusal.keeps:
                tx.flush()
                if self._attempt is not None:
                    self._attempt.free(tx)
            raise
        finally:
            if not waits:
                self.spent.add(tx)

    def _make_attempt(self, user_id: str, request_id: str) -> Attempt:
        digest = self.kernel.keys.fingerprint("payload", self.payload.decode())
        key = Key(user_id, self.command, request_id)
        return Attempt(key, digest, holder=new_id(self.kernel.clock.now()))

    def _finish(self, work: Callable[[Transaction], Any], tx: Transaction) -> Any:
        if self._attempt is not None:
            self._attempt.claim(tx, leased=False)
        value = work(tx)
        tx.flush()
        if self._attempt is not None:
            self._attempt.finish(tx, value)
        return value

    def _keep_step(self, name: str, kind: Any, work: Callable[..., Any], tx: Transaction) -> Any:
        kept: dict[str, str] = {}
        if self._attempt is not None:
            kept = self._attempt.claim(tx, leased=True)
            if name in kept:
                return msgspec.json.decode(kept[name], type=kind)
        value = work(tx)
        tx.flush()
        if self._attempt is not None:
            self._attempt.keep_step(tx, kept, name, value)
        return value
