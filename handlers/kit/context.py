"""What commands and outbound consumers work with: transactions, rooms and leases.

Invariants:
- With a `request_id`, one transaction claims the id, makes the change and stores the answer. A
  command of several transactions names each one before the last, as a step
  (`handlers/kit/idempotency.py`).
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar, cast
from urllib.parse import urlsplit

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
from handlers.kit.kernel import Actor, Kernel, Origin
from handlers.kit.room_access import RoomAccess
from handlers.kit.socket_leases import SocketLeases
from handlers.kit.transaction import Transaction
from storage.engine.database import Kind, Queries, StorageUnavailable
from storage.engine.isolation import is_serializable
from storage.events.idempotency import Key

P = ParamSpec("P")
T = TypeVar("T")


Plain = Callable[Concatenate[Transaction, P], T]


@dataclass
class Context:
    """One run of a command: its caller, its socket, and its access to the database and rooms."""

    kernel: Kernel
    actor: Actor | None = None
    origin: Origin = field(default_factory=Origin)
    command: str = ""
    socket: Any = None
    steps: Mapping[str, type[msgspec.Struct]] = field(default_factory=dict)
    """The types that its steps return, by name of the step."""
    request_id: str | None = None
    payload: bytes = b""
    kind: Kind = "commands"
    """The kind of work, which decides on how many database connections it may use."""
    after_ack: list[Callable[[], None]] = field(default_factory=list)
    """Called once the acknowledgement is sent, also after a refusal."""
    spent: Spent = field(default_factory=Spent)
    """The cost of its transactions so far."""
    when_done: list[Callable[[], None]] = field(default_factory=list)
    """Called once the command has succeeded, also when an earlier attempt did the work."""
    rooms: RoomAccess = field(init=False)
    leases: SocketLeases = field(init=False)
    _attempt: Attempt | None = None
    _has_stepped: bool = False
    _finished: bool = False

    def __post_init__(self) -> None:
        self.rooms = RoomAccess(self.kernel, self.socket, self.after_ack)
        self.leases = SocketLeases(self.kernel.clock, self.socket, self._before_lease)

    async def transact(self, work: Plain[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the plain function `work(tx, …)` in one transaction and commit it.

        With a `request_id` this is the command's last transaction. Its result is stored as the
        answer, and repeated requests get it too.
        """
        if self._finished:
            raise RuntimeError("every transaction before the last must be a step")
        run = partial(self._finish, lambda tx: work(tx, *args, **kwargs))
        value = await self._commit(run, serializable=is_serializable(work))
        self._finished = self.request_id is not None
        return cast(T, value)

    async def step(self, name: str, work: Plain[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run one transaction of a command that runs several; not its last one.

        With a `request_id`, the step runs once. A repeated request gets the stored result, of the
        type that the command declares (`steps`). Meanwhile this attempt has a lease on the id.
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
        """Await a call to another system, and return its result.

        With a `request_id`, no other attempt at the same request runs meanwhile: a step before the
        call must have taken the lease on the id. `act` must have a time limit of its own. An
        earlier attempt may have made the call and then died, so give the other system an
        idempotency key that an earlier step stored.
        """
        if self._attempt is None:
            if self.request_id is not None and self.actor is not None:
                close(act)
                raise RuntimeError("an external call needs a step before it")
            return await act
        return await while_renewing(act, partial(self.keep_up, self._attempt.lease))

    async def release(self) -> None:
        """The command failed: let a repeated request start at once."""
        if self._attempt is not None and self._attempt.began:
            with suppress(StorageUnavailable):  # the lease ends by itself
                await self.keep_up(self._attempt.release)

    async def read(self, work: Plain[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the plain function `work(tx, …)` on one snapshot; it must not change anything."""

        def run(queries: Queries) -> T:
            tx = Transaction(queries, self.kernel, self.actor, self.origin)
            try:
                return work(tx, *args, **kwargs)
            finally:
                self.spent.add(tx)

        return await self.kernel.database.read(run, kind=self.kind)

    async def keep_up(self, work: Callable[[Transaction], None]) -> None:
        """Run upkeep in a transaction of its own, whose cost is not charged to the command."""

        def run(queries: Queries) -> None:
            work(Transaction(queries, self.kernel, None, self.origin))

        await self.kernel.database.transact(run, kind=self.kind)

    @property
    def is_half_done(self) -> bool:
        """Whether a step is stored, so that an external call may have been made."""
        return self._attempt is not None and self._attempt.began

    @property
    def user_id(self) -> str:
        """The caller's id; only for commands that visitors cannot use."""
        assert self.actor is not None
        return self.actor.id

    def refused(self) -> None:
        """The command was refused: undo what it did with leases and rooms."""
        self.leases.undo()
        self.rooms.undo()

    def as_reached(self, url: str) -> str:
        """`url` of a stored object, with the origin by which the client reached this server.

        Unchanged if the object store has an origin of its own, or the operator does not allow that
        origin.
        """
        reached = urlsplit(self.origin.reached)
        if not reached.netloc or self.kernel.objects.origin is not None:
            return url
        return urlsplit(url)._replace(scheme=reached.scheme, netloc=reached.netloc).geturl()

    def _before_lease(self) -> None:
        """A lease belongs to this socket, so the answer must not be replayed to another one.

        A repeated request runs again instead. A step would keep the request id, so a command takes
        its leases before its first step.
        """
        if self._has_stepped:
            raise RuntimeError("a command must take its leases before its first step")
        self.request_id = None

    async def _commit(self, work: Callable[[Transaction], Any], *, serializable: bool) -> Any:
        """Run `work` in one transaction, once no other attempt at the same request runs."""
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
        # The claim changes rows before anything can be refused.
        return await to_its_outcome(partial(transact, savepoint=True))

    def _run(self, work: Callable[[Transaction], Any], queries: Queries) -> Any:
        tx = Transaction(queries, self.kernel, self.actor, self.origin)
        waits = False
        try:
            return work(tx)
        except Held:
            waits = True  # waiting for another attempt is not charged
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
