"""Whispers that were lost between instances are said again, from what is stored.

Invariants:
- A whisper is best effort: it is lost when Redis is away, on either side. What it said is stored by
  its domain, so every few seconds each instance says to its own listeners what changed lately.
- "Lately" reaches back to the last round that succeeded, and over the longest transaction before
  it. Listeners who heard it, word for word, do not hear it again.
"""

import asyncio
from datetime import datetime
from time import monotonic

from handlers.kit.context import Context
from handlers.kit.domain import Retell
from handlers.kit.kernel import Kernel
from handlers.kit.registry import Registry
from rooms.gaps import MOVED_WITHIN
from rooms.names import stream
from rooms.packets import whisper_packet
from rooms.rooms import Rooms
from rooms.tasks import Tasks
from server.rounds import take_round

RETELL_EVERY_S = 5.0


class Retelling:
    """One an instance; an instance alone loses no whisper."""

    def __init__(self, kernel: Kernel, registry: Registry, rooms: Rooms) -> None:
        self._kernel = kernel
        self._retells = [domain.retell for domain in registry.domains if domain.retell]
        self._rooms = rooms
        self._since = kernel.clock.now()
        self._tasks = Tasks()

    async def start(self) -> None:
        self._since = self._kernel.clock.now()
        if self._kernel.database.shared:
            self._tasks.spawn(self._keep_retelling())

    async def stop(self) -> None:
        await self._tasks.end()

    async def _keep_retelling(self) -> None:
        while True:
            await asyncio.sleep(RETELL_EVERY_S)
            await take_round(self.retell())

    async def retell(self) -> None:
        """Say once what changed lately."""
        now = self._kernel.clock.now()
        since = min(self._since, now) - MOVED_WITHIN
        for retell in self._retells:
            after = await self._retell_page(retell, since, "")
            while after:
                after = await self._retell_page(retell, since, after)
        self._since = now

    async def _retell_page(self, retell: Retell, since: datetime, after: str) -> str:
        read_at = monotonic()
        page, after = await Context(self._kernel, kind="upkeep").read(retell, since, after)
        for one in page:
            packet = whisper_packet(one.namespace, one.room, one.name, one.data, one.hidden_from)
            self._rooms.retell(stream(one.namespace, one.room), packet, read_at)
        return after
