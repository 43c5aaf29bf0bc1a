"""Drains an instance that is stopping: moves its clients to the other instances.

Invariants:
- From the start, the instance is not ready and answers handshakes with 503, so that a proxy tries
  another instance. Connected clients are served as before, and can enter namespaces.
- Connections are closed one by one, in random order, spread over the drain time, so that the other
  instances are not overloaded. The close is orderly: running commands are answered first. Clients
  reconnect after it by themselves, which they would not after a Socket.IO disconnect.
- Moving loses nothing: clients repeat unanswered commands with the same `request_id`, and missed
  events are replayed. The grace period keeps presence unchanged.
- A single instance stops at once, because no other can take its clients.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import pairwise

import structlog

from rooms.tasks import Tasks
from server.socket import Sockets
from storage.engine.database import StorageUnavailable

log = structlog.get_logger("drain")

LAST_ONES_WITHIN_S = 5.0


class Drain:
    """Moves the clients of one instance to the others."""

    def __init__(
        self, sockets: Sockets, list_others: Callable[[], Awaitable[list[str]]], within_s: float
    ) -> None:
        self._sockets = sockets
        self._list_others = list_others
        self._within_s = within_s

    async def run(self) -> None:
        """Return when all connections have closed, or their time has passed."""
        if not self._sockets.connections or not await self._has_others():
            return
        log.info("draining", connections=len(self._sockets.connections), within_s=self._within_s)
        await self._move_all()
        await self._sockets.wait_for_leave(LAST_ONES_WITHIN_S)
        log.info("drained", left=len(self._sockets.connections))

    async def _has_others(self) -> bool:
        try:
            return bool(await self._list_others())
        except StorageUnavailable as error:
            log.warning("others_not_read", error=str(error))
            return True  # the safe assumption

    async def _move_all(self) -> None:
        connections = self._sockets.connections
        random.shuffle(connections)
        moments = sorted(random.uniform(0, self._within_s) for _ in connections)  # noqa: S311
        for connection, (before, at) in zip(connections, pairwise([0.0, *moments]), strict=True):
            await asyncio.sleep(at - before)
            self._sockets.move(connection)


@dataclass
class Orders:
    """The operator's orders: `leave` drains first, `stop` ends at once."""

    leave: asyncio.Event = field(default_factory=asyncio.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self) -> None:
        """Set `leave`; the second time, set `stop`."""
        (self.stop if self.leave.is_set() else self.leave).set()

    async def obey(self, drain: Callable[[], Awaitable[None]]) -> None:
        """Wait for an order; on `leave`, run `drain` until it ends or `stop` is set."""
        tasks = Tasks()
        either = tasks.spawn(self._leave(drain)), tasks.spawn(self.stop.wait())
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        await tasks.end()

    async def _leave(self, drain: Callable[[], Awaitable[None]]) -> None:
        await self.leave.wait()
        await drain()
