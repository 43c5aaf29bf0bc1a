"""A command with a `request_id` has one effect, however often and from wherever it is asked.

Invariants:
- A request id is pending from the first transaction of its command on, and done with the last one,
  which keeps the answer. Claim, change and answer of one transaction are kept or lost together.
- A done id is answered with what is kept; nothing of the command runs again. `Replayed` carries
  the answer out of the command.
- A pending id belongs to one attempt. An attempt that goes outside holds a lease and renews it.
  Another attempt waits for the end of the lease and then takes the id over. An attempt that lost
  its lease can renew it no more, and waits in its next transaction like any other.
- Who takes a pending id over runs the command from its start. A step that is kept is not run again:
  it gives the value that it gave before.
- A refusal keeps nothing of its transaction, so an id without steps is free again. A refusal that
  keeps its change frees the id, whatever steps there were.
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
"""So long a repeated request waits for the attempt that is under way, before it is told to come
back."""
PAUSE_S, PAUSE_MAX_S = 0.02, 0.5
UNKNOWN = {"outcome": "unknown"}
"""The details of an answer that does not say that nothing was changed."""


class Replayed(Exception):
    """The command was done before; this is its answer."""

    def __init__(self, answer: str) -> None:
        super().__init__("answered before")
        self.answer = msgspec.Raw(answer.encode())


class Held(Exception):
    """Another attempt is at it."""


class Changes(Queries, Protocol):
    """A command's transaction: its statements, its time, and how much it keeps."""

    now: datetime
    bytes_kept: int


class Attempt:
    """One run of a command that has a request id."""

    def __init__(self, key: Key, payload_hash: str, holder: str) -> None:
        self._key = key
        self._payload_hash = payload_hash
        self._holder = holder
        self.began = False
        """Whether a transaction of this attempt was committed that left the id pending."""

    def claim(self, tx: Changes, *, leased: bool) -> dict[str, str]:
        """Hold the id in this transaction; the steps that are kept.

        With `leased` it stays held after the commit. Raises Replayed, Held, and Conflict when the
        id came with another payload.
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
        """The command is done with this transaction, and this is its answer."""
        kept = encode(value)
        tx.bytes_kept += len(kept)
        keys.keep_answer(tx, self._key, kept, value.about() if isinstance(value, View) else None)

    def free(self, tx: Queries) -> None:
        """Let the id be used again."""
        keys.delete_claim(tx, self._key)

    def lease(self, tx: Changes) -> None:
        """Hold the id for another while; raises Unavailable when another attempt has it."""
        until = tx.now + timedelta(seconds=LEASE_S)
        if not keys.lease_claim(tx, self._key, self._holder, until):
            raise Unavailable(
                "Another attempt took over this request; send it again.",
                details=UNKNOWN,
                retry_after_s=1,
            )

    def release(self, tx: Queries) -> None:
        """Let the next attempt begin at once."""
        keys.lease_claim(tx, self._key, self._holder, None)


def type_of_step(work: Callable[..., Any]) -> Any:
    """What the function of a step declares to return: the type of its kept value."""
    return typing.get_type_hints(work)["return"]


async def to_its_outcome(transact: Callable[[], Awaitable[T]]) -> T:
    """What `transact` gives, `when_free`; run again when its COMMIT has no answer.

    The second run finds what the first one kept. Raises OutcomeUnknown when it cannot look.
    """
    try:
        return await when_free(transact)
    except OutcomeUnknown as unknown:
        try:
            return await when_free(transact)
        except (StorageUnavailable, Unavailable):
            raise unknown from None


async def when_free(transact: Callable[[], Awaitable[T]]) -> T:
    """What `transact` gives once no other attempt is at it; raises Unavailable if that lasts."""
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
    """What `act` gives, while its lease is renewed; a lease that is lost cancels it.

    It does not begin before the first renewal: the lease may have run out since the step.
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
    """Give up work that has not begun."""
    if isinstance(act, Coroutine):
        act.close()
