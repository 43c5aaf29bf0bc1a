"""A command with a `request_id` has one effect, however often it is sent and from which connection.

Invariants:
- A request id is pending from the first transaction of its command. The last transaction stores the
  answer and makes the id done. The claim, the change and the answer of one transaction are
  committed or lost together.
- A request with a done id gets the stored answer; no code of the command runs again. `Replayed`
  carries the answer out of the command.
- A pending id belongs to one attempt. An attempt that calls an external service holds a lease and
  renews it. Another attempt waits until the lease ends and then takes the id over. An attempt that
  lost its lease cannot renew it, and its next transaction waits like that of any other attempt.
- An attempt that takes over a pending id runs the command from its start. A step that is already
  stored does not run again: it returns the stored value.
- A refusal stores nothing from its transaction, so an id without stored steps is free again. A
  refusal that keeps its change (`KEEPS`) frees the id, with or without stored steps.
"""

import asyncio
import typing
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

import msgspec

from handlers.kit.contract import View, encode
from handlers.kit.errors import Conflict, Unavailable
from storage.engine.database import OutcomeUnknown, Queries, StorageUnavailable
from storage.events import idempotency as keys
from storage.events.idempotency import Key

T = TypeVar("T")

LEASE_S = 6.0
RENEW_EVERY_S = 2.0
RENEW_WITHIN_S = 2.0
WAIT_MAX_S = 10.0
"""How long a repeated request waits for the running attempt before it is refused as Unavailable."""
PAUSE_S, PAUSE_MAX_S = 0.02, 0.5
UNKNOWN = {"outcome": "unknown"}
"""The `details` of an error that does not promise that nothing was changed."""


class Replayed(Exception):
    """The command already ran; this is its answer."""

    def __init__(self, answer: str) -> None:
        super().__init__("answered before")
        self.answer = msgspec.Raw(answer.encode())


class Held(Exception):
    """Another attempt holds the request id."""


class Changes(Queries, Protocol):
    """A command's transaction: its statements, its time, and the size of what it stores."""

    now: datetime
    bytes_kept: int


class Attempt:
    """One run of a command that has a request id."""

    def __init__(self, key: Key, payload_hash: str, holder: str) -> None:
        self._key = key
        self._payload_hash = payload_hash
        self._holder = holder
        self.began = False
        """Whether this attempt has committed a transaction that left the id pending."""

    def claim(self, tx: Changes, *, leased: bool) -> dict[str, str]:
        """Hold the id in this transaction; returns the stored steps.

        With `leased` the id stays held after the commit. Raises Replayed, Held, and Conflict when
        the id was used with another payload.
        """
        until = tx.now + timedelta(seconds=LEASE_S) if leased else None
        if keys.insert_claim(tx, self._key, self._payload_hash, self._holder, until, tx.now):
            return {}
        found = keys.lock_claim(tx, self._key)
        if found is None:  # freed between the two statements
            raise Held
        if found.payload_hash != self._payload_hash:
            raise Conflict("This request id was already used with another payload.")
        if found.answer is not None:
            raise Replayed(found.answer)
        is_leased = found.leased_until is not None and found.leased_until > tx.now
        if is_leased and found.holder != self._holder:
            raise Held
        keys.hold_claim(tx, self._key, self._holder, until)
        return found.steps or {}

    def keep_step(self, tx: Changes, steps: dict[str, str], name: str, value: Any) -> None:
        kept = encode(value)
        tx.bytes_kept += len(kept)
        keys.keep_steps(tx, self._key, {**steps, name: kept})

    def finish(self, tx: Changes, value: Any) -> None:
        """Mark the id as done in this transaction and store the answer `value`."""
        kept = encode(value)
        tx.bytes_kept += len(kept)
        keys.keep_answer(tx, self._key, kept, value.about() if isinstance(value, View) else None)

    def free(self, tx: Queries) -> None:
        """Delete the claim, so that the id can be used again."""
        keys.delete_claim(tx, self._key)

    def lease(self, tx: Changes) -> None:
        """Renew the lease; raises Unavailable when another attempt holds the id."""
        until = tx.now + timedelta(seconds=LEASE_S)
        if not keys.lease_claim(tx, self._key, self._holder, until):
            raise Unavailable(
                "Another attempt took over this request; send it again.",
                details=UNKNOWN,
                retry_after_s=1,
            )

    def release(self, tx: Queries) -> None:
        """End the lease, so that the next attempt can begin immediately."""
        keys.lease_claim(tx, self._key, self._holder, None)


def type_of_step(work: Callable[..., Any]) -> Any:
    """The declared return type of a step's function, which is the type of its stored value."""
    return typing.get_type_hints(work)["return"]


async def to_its_outcome(transact: Callable[[], Awaitable[T]]) -> T:
    """The result of `transact`, run by `when_free`; it runs again when COMMIT got no answer.

    The second run finds what the first one committed. Raises OutcomeUnknown when the second run
    fails too.
    """
    try:
        return await when_free(transact)
    except OutcomeUnknown as unknown:
        try:
            return await when_free(transact)
        except (StorageUnavailable, Unavailable):
            raise unknown from None


async def when_free(transact: Callable[[], Awaitable[T]]) -> T:
    """The result of `transact` once no other attempt holds the id; raises Unavailable after
    `WAIT_MAX_S`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WAIT_MAX_S
    pause_s = PAUSE_S
    while True:
        try:
            return await transact()
        except Held:
            if loop.time() + pause_s > deadline:
                raise Unavailable(
                    "The same request is still in progress.", details=UNKNOWN, retry_after_s=1
                ) from None
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, PAUSE_MAX_S)


async def while_renewing(act: Awaitable[T], renew: Callable[[], Awaitable[None]]) -> T:
    """The result of `act`, while the lease is renewed; losing the lease cancels `act`.

    The lease is renewed once before `act` begins, because it may have run out since the last step.
    """
    try:
        async with asyncio.timeout(RENEW_WITHIN_S):
            await renew()
    except BaseException:
        close(act)
        raise
    acting = asyncio.ensure_future(act)
    try:
        while not (await asyncio.wait({acting}, timeout=RENEW_EVERY_S))[0]:
            async with asyncio.timeout(RENEW_WITHIN_S):
                await renew()
        return acting.result()
    finally:
        acting.cancel()
        await asyncio.wait({acting}, timeout=RENEW_WITHIN_S)


def close(act: Awaitable[object]) -> None:
    """Discard a coroutine that has not started."""
    if isinstance(act, Coroutine):
        act.close()
