"""Forgets what the rules say is old: events beyond the replay, answers beyond their days."""

import asyncio

import structlog

from handlers.kit.context import Kernel
from handlers.kit.ids import id_at
from storage.answers import forget_answers
from storage.engine import StorageUnavailable
from storage.events import forget_events

log = structlog.get_logger("housekeeping")

EVERY_S = 3600.0


class Housekeeping:
    """One an instance; doing it twice is harmless."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._keep_house())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def tidy(self) -> None:
        """Forget once."""
        now, rules = self._kernel.clock.now(), self._kernel.rules
        oldest_event = id_at(now - rules.span("events_kept_days"))
        oldest_answer = now - rules.span("answers_kept_days")
        database = self._kernel.database
        await database.transact(lambda tx: forget_events(tx, oldest_event))
        await database.transact(lambda tx: forget_answers(tx, oldest_answer))

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.tidy()
            except StorageUnavailable as error:
                log.warning("not_tidied", error=str(error))
            except Exception as raised:
                log.error("round_failed", error=type(raised).__name__)
