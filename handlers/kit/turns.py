"""Turns at something scarce, one person after the other, however much each of them wants.

Invariants:
- A person has at most one turn at a time. Whoever wants more waits in a line of their own.
- The lines are served in rotation: a new line waits at most for the turns that are being taken
  and for one turn of each person who waits already.
- Lines, their sum and the time in them are bounded. Whoever is refused has changed nothing.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from handlers.kit.errors import RateLimited, Unavailable

RETRY_AFTER_S = 10.0


class Turns:
    """`at_a_time` people at once; `line_max` waiters a person, `waiting_max` in all."""

    def __init__(self, at_a_time: int, *, line_max: int, waiting_max: int, wait_s: float) -> None:
        self._at_a_time = at_a_time
        self._line_max = line_max
        self._waiting_max = waiting_max
        self._wait_s = wait_s
        self._busy: set[str] = set()
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}
        """By person, in the order in which they are served next."""
        self.waiting = 0

    @asynccontextmanager
    async def turn(self, person_id: str) -> AsyncIterator[None]:
        """Wait for a turn and hold it; raises RateLimited or Unavailable.

        RateLimited is for people who are in their own way, Unavailable for all others.
        """
        await self._wait(person_id)
        try:
            yield
        finally:
            self._end(person_id)

    async def _wait(self, person_id: str) -> None:
        granted = self._join(person_id)
        self._grant()
        try:
            async with asyncio.timeout(self._wait_s):
                await granted
        except TimeoutError:
            refusal = RateLimited if self._is_in_own_way(person_id, granted) else Unavailable
            self._leave(person_id, granted)
            raise refusal(retry_after_s=RETRY_AFTER_S) from None
        except BaseException:
            self._leave(person_id, granted)
            raise

    def _is_in_own_way(self, person_id: str, granted: asyncio.Future[None]) -> bool:
        line = self._lines.get(person_id)
        return person_id in self._busy or (line is not None and line[0] is not granted)

    def _join(self, person_id: str) -> asyncio.Future[None]:
        if len(self._lines.get(person_id, ())) >= self._line_max:
            raise RateLimited(retry_after_s=RETRY_AFTER_S)
        if self.waiting >= self._waiting_max:
            raise Unavailable(retry_after_s=RETRY_AFTER_S)
        granted = asyncio.get_running_loop().create_future()
        self._lines.setdefault(person_id, deque()).append(granted)
        self.waiting += 1
        return granted

    def _leave(self, person_id: str, granted: asyncio.Future[None]) -> None:
        """Stop waiting, or give back a turn that was granted in the same moment."""
        line = self._lines.get(person_id, deque())
        if granted in line:
            line.remove(granted)
            self.waiting -= 1
            if not line:
                del self._lines[person_id]
        elif not granted.cancelled():
            self._end(person_id)

    def _end(self, person_id: str) -> None:
        self._busy.discard(person_id)
        self._grant()

    def _grant(self) -> None:
        while len(self._busy) < self._at_a_time:
            person_id = next((one for one in self._lines if one not in self._busy), None)
            if person_id is None:
                return
            line = self._lines.pop(person_id)
            granted = line.popleft()
            self.waiting -= 1
            if line:
                self._lines[person_id] = line  # behind everybody else
            if not granted.done():  # or whoever waited has just been cancelled
                granted.set_result(None)
                self._busy.add(person_id)
