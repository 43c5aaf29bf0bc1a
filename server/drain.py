"""An instance on its way out: nobody new comes in, and its clients move to the other instances.

Invariants:
- From the first moment it is not ready, and a handshake is answered 503, which a proxy takes to
  another instance. Who is connected is served as ever, in new namespaces too.
- Clients are asked one by one, in no order, over the whole drain time, so that the others are not
  stormed. Asking is an orderly close: what a client's last commands began is answered first, and
  clients come back from it by themselves (they would not from a Socket.IO disconnect).
- Nothing is lost by moving: a command without an answer is asked again by its `request_id`, and
  what was missed comes by number. Presence does not notice, by its grace.
- An instance that is alone has nowhere to send anybody, and stops at once.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import pairwise

import structlog

from server.socket import Sockets
from storage.engine.database import StorageUnavailable

log = structlog.get_logger("drain")

LAST_ONES_WITHIN_S = 5.0


class Drain:
    """Moves the clients of one instance elsewhere."""

    def __init__(
        self, sockets: Sockets, list_others: Callable[[], Awaitable[list[str]]], within_s: float
    ) -> None:
        self._sockets = sockets
        self._list_others = list_others
        self._within_s = within_s

    async def run(self) -> None:
        """Returns when everybody has gone, or has had the time for it."""
        if not self._sockets.connections or not await self._has_company():
            return
        log.info("draining", connections=len(self._sockets.connections), within_s=self._within_s)
        await self._ask_all()
        await self._sockets.wait_for_leave(LAST_ONES_WITHIN_S)
        log.info("drained", left=len(self._sockets.connections))

    async def _has_company(self) -> bool:
        try:
            return bool(await self._list_others())
        except StorageUnavailable as error:
            log.warning("others_not_read", error=str(error))
            return True  # the careful guess

    async def _ask_all(self) -> None:
        connections = self._sockets.connections
        random.shuffle(connections)
        moments = sorted(random.uniform(0, self._within_s) for _ in connections)  # noqa: S311
        for connection, (before, at) in zip(connections, pairwise([0.0, *moments]), strict=True):
            await asyncio.sleep(at - before)
            self._sockets.move(connection)


@dataclass
class Orders:
    """What the operator wants: `leave` in order, with a drain, or `stop` without."""

    leave: asyncio.Event = field(default_factory=asyncio.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self) -> None:
        """Leave; asked again, stop."""
        (self.stop if self.leave.is_set() else self.leave).set()

    async def obey(self, drain: Callable[[], Awaitable[None]]) -> None:
        """Wait until it is time to leave, and `drain`, unless or until it is to stop."""
        leaving = asyncio.create_task(self._leave(drain))
        stopping = asyncio.create_task(self.stop.wait())
        await asyncio.wait((leaving, stopping), return_when=asyncio.FIRST_COMPLETED)
        for task in (leaving, stopping):
            task.cancel()
        await asyncio.gather(leaving, stopping, return_exceptions=True)

    async def _leave(self, drain: Callable[[], Awaitable[None]]) -> None:
        await self.leave.wait()
        await drain()
