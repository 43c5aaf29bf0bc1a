"""What a command and an outbound consumer have at hand: transactions, rooms, leases.

Invariants:
- With a `request_id`, the claim, the change and its answer are one transaction; a command of
  several transactions names those before the last one (`handlers/kit/idempotency.py`).
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import msgspec

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
from handlers.kit.kernel import Actor, Audience, EphemeralEvent, Kernel, Origin
from handlers.kit.transaction import Transaction
from rooms.names import stream
from storage.engine.database import Kind, Queries, StorageUnavailable
from storage.engine.isolation import is_serializable
from storage.events.idempotency import Key

P = ParamSpec("P")
T = TypeVar("T")


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
            raise RuntimeError("every transaction before the last must be a step")
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
                raise RuntimeError("an external call needs a step before it")
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
            raise RuntimeError("a command must take its leases before its first step")
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
