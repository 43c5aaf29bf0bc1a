"""Fair access to the connections of a database.

Invariants:
- At most `size` callers have a connection. At most `others` of them are not commands, and at most
  `consumers` are consumers, so that consumers cannot block commands or upkeep.
- Callers of the same kind get connections in order of arrival.
- A wait ends with a turn, or after `within_s` with StorageUnavailable. At most `WAITING_MAX`
  callers wait; further ones are refused at once.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from time import perf_counter

from storage.engine.database import KINDS, Kind, StorageUnavailable

WAITING_MAX = 20_000


class Waits:
    """The number of waiting callers by kind; `waited` gets the duration of each ended wait."""

    def __init__(self) -> None:
        self.now: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        self.waited: Callable[[Kind, float], None] = lambda kind, seconds: None

    def begin(self, kind: Kind) -> float:
        """Count a waiting caller; raises StorageUnavailable if there are too many.

        Returns the start time, for `end`.
        """
        if sum(self.now.values()) >= WAITING_MAX:
            raise StorageUnavailable("the database is overloaded")
        self.now[kind] += 1
        return perf_counter()

    def end(self, kind: Kind, began: float) -> None:
        self.now[kind] -= 1
        self.waited(kind, perf_counter() - began)


class Turns:
    """`size` turns: at most `others` of them not for commands, `consumers` for consumers."""

    def __init__(
        self, waits: Waits, size: int, others: int, consumers: int, within_s: float
    ) -> None:
        self._waits = waits
        self._within_s = within_s
        for_all, for_others = asyncio.Semaphore(size), asyncio.Semaphore(others)
        self._gates: dict[Kind, tuple[asyncio.Semaphore, ...]] = {
            "commands": (for_all,),
            "consumers": (asyncio.Semaphore(consumers), for_others, for_all),
            "upkeep": (for_others, for_all),
        }

    def turn(self, kind: Kind) -> "Turn":
        """An async context manager that holds a turn; raises StorageUnavailable if none is free in
        time."""
        return Turn(self, kind)

    async def enter(self, kind: Kind) -> None:
        gates = self._gates[kind]
        if any(gate.locked() for gate in gates):
            return await self._wait(kind)
        for gate in gates:  # does not wait
            await gate.acquire()
        return self._waits.waited(kind, 0.0)

    def leave(self, kind: Kind) -> None:
        for gate in self._gates[kind]:
            gate.release()

    async def _wait(self, kind: Kind) -> None:
        began = self._waits.begin(kind)
        try:
            async with AsyncExitStack() as held, asyncio.timeout(self._within_s):
                for gate in self._gates[kind]:
                    await held.enter_async_context(gate)
                held.pop_all()
        except TimeoutError:
            raise StorageUnavailable("no connection was free in time") from None
        finally:
            self._waits.end(kind, began)


class Turn:
    """One turn; a plain class, because each transaction and each read creates one."""

    __slots__ = ("_kind", "_turns")

    def __init__(self, turns: Turns, kind: Kind) -> None:
        self._turns, self._kind = turns, kind

    async def __aenter__(self) -> None:
        await self._turns.enter(self._kind)

    async def __aexit__(self, *raised: object) -> None:
        self._turns.leave(self._kind)
