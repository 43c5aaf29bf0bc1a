"""Sends ephemeral events again that were lost between instances, from the stored state.

Invariants:
- An ephemeral event is best effort: while Redis is unavailable, other instances miss it. Its domain
  stores the state, so every few seconds each instance sends its listeners what changed recently.
- "Recently" covers the time since the last successful round, plus the longest transaction before
  it. Listeners that already got an identical event do not get it again.
"""

import asyncio
from datetime import datetime
from time import monotonic

from handlers.kit.context import Context
from handlers.kit.domain import ListChanges
from handlers.kit.kernel import Kernel
from handlers.kit.registry import Registry
from rooms.gaps import MOVED_WITHIN
from rooms.names import stream
from rooms.packets import ephemeral_packet
from rooms.rooms import Rooms
from rooms.tasks import Tasks
from server.periodic import run_job

RESYNC_EVERY_S = 5.0


class Resync:
    """Runs on every instance, except a single one, which loses no ephemeral events."""

    def __init__(self, kernel: Kernel, registry: Registry, rooms: Rooms) -> None:
        self._kernel = kernel
        self._resyncs = [domain.resync for domain in registry.domains if domain.resync]
        self._rooms = rooms
        self._since = kernel.clock.now()
        self._tasks = Tasks()

    async def start(self) -> None:
        self._since = self._kernel.clock.now()
        if self._kernel.database.shared:
            self._tasks.spawn(self._keep_resyncing())

    async def stop(self) -> None:
        await self._tasks.end()

    async def _keep_resyncing(self) -> None:
        while True:
            await asyncio.sleep(RESYNC_EVERY_S)
            await run_job(self.resync())

    async def resync(self) -> None:
        """Run one round."""
        now = self._kernel.clock.now()
        since = min(self._since, now) - MOVED_WITHIN
        for resync in self._resyncs:
            after = await self._resync_page(resync, since, "")
            while after:
                after = await self._resync_page(resync, since, after)
        self._since = now

    async def _resync_page(self, resync: ListChanges, since: datetime, after: str) -> str:
        read_at = monotonic()
        page, after = await Context(self._kernel, kind="upkeep").read(resync, since, after)
        for one in page:
            packet = ephemeral_packet(one.namespace, one.room, one.name, one.data, one.hidden_from)
            self._rooms.ephemeral.resync(stream(one.namespace, one.room), packet, read_at)
        return after
