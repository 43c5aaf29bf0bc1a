"""A fair queue for a scarce resource: people take turns, no matter how many requests each one has.

Invariants:
- A person has at most one turn at a time. Their other requests wait in their own queue.
- The queues are served in rotation: a new queue waits at most for the turns in progress and for one
  turn of each person who is already waiting.
- The length of each queue, the total length and the waiting time are bounded. A refused request has
  changed nothing.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from handlers.kit.errors import RateLimited, Unavailable

RETRY_AFTER_S = 10.0


class Turns:
    """`at_a_time` turns in parallel; at most `line_max` waiters per person, `waiting_max` in
    all."""

    def __init__(self, at_a_time: int, *, line_max: int, waiting_max: int, wait_s: float) -> None:
        self._at_a_time = at_a_time
        self._line_max = line_max
        self._waiting_max = waiting_max
        self._wait_s = wait_s
        self._busy: set[str] = set()
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}
        """By person, in the order in which they are served next."""
        self.waiting = 0

    @asynccontextmanager
    async def turn(self, person_id: str) -> AsyncIterator[None]:
        """Wait for a turn and hold it; raises RateLimited or Unavailable.

        RateLimited means that the person's own requests are in the way, Unavailable that those of
        others are.
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
            refusal = (
                RateLimited if self._waits_for_own_requests(person_id, granted) else Unavailable
            )
            self._leave(person_id, granted)
            raise refusal(retry_after_s=RETRY_AFTER_S) from None
        except BaseException:
            self._leave(person_id, granted)
            raise

    def _waits_for_own_requests(self, person_id: str, granted: asyncio.Future[None]) -> bool:
        queue = self._queues.get(person_id)
        return person_id in self._busy or (queue is not None and queue[0] is not granted)

    def _join(self, person_id: str) -> asyncio.Future[None]:
        if len(self._queues.get(person_id, ())) >= self._line_max:
            raise RateLimited(retry_after_s=RETRY_AFTER_S)
        if self.waiting >= self._waiting_max:
            raise Unavailable(retry_after_s=RETRY_AFTER_S)
        granted = asyncio.get_running_loop().create_future()
        self._queues.setdefault(person_id, deque()).append(granted)
        self.waiting += 1
        return granted

    def _leave(self, person_id: str, granted: asyncio.Future[None]) -> None:
        """Stop waiting, or return a turn that was granted at the same moment."""
        queue = self._queues.get(person_id, deque())
        if granted in queue:
            queue.remove(granted)
            self.waiting -= 1
            if not queue:
                del self._queues[person_id]
        elif not granted.cancelled():
            self._end(person_id)

    def _end(self, person_id: str) -> None:
        self._busy.discard(person_id)
        self._grant()

    def _grant(self) -> None:
        while len(self._busy) < self._at_a_time:
            person_id = next((one for one in self._queues if one not in self._busy), None)
            if person_id is None:
                return
            queue = self._queues.pop(person_id)
            granted = queue.popleft()
            self.waiting -= 1
            if queue:
                self._queues[person_id] = queue  # to the end of the rotation
            if not granted.done():  # the waiter may have been cancelled just now
                granted.set_result(None)
                self._busy.add(person_id)
