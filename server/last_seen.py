"""Stores regularly which sessions are connected here, as the time their devices were last seen."""

import asyncio
from functools import partial

import structlog

from handlers.kit.kernel import Kernel
from handlers.platform.auth.public import note_seen
from rooms.tasks import Tasks
from server.people import People
from storage.engine.database import StorageUnavailable

log = structlog.get_logger("last_seen")

EVERY_S = 240.0
CHUNK = 500
"""Sessions in one statement: few, so that other transactions do not wait long for the writer."""


class LastSeen:
    """Updates the sessions of one instance."""

    def __init__(self, kernel: Kernel, people: People) -> None:
        self._kernel = kernel
        self._people = people
        self._tasks = Tasks()

    async def start(self) -> None:
        self._tasks.spawn(self._watch())

    async def stop(self) -> None:
        await self._tasks.end()

    async def note(self) -> None:
        """Store the current time for every session that is connected here."""
        sessions = self._people.sessions()
        for start in range(0, len(sessions), CHUNK):
            some, now = sessions[start : start + CHUNK], self._kernel.clock.now()
            await self._kernel.database.transact(
                partial(note_seen, session_ids=some, now=now), kind="upkeep"
            )

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.note()
            except StorageUnavailable as error:
                log.warning("not_noted", error=str(error))
            except Exception as raised:
                log.error("round_failed", error=type(raised).__name__)
