"""Publishes the events of timers when they are due.

Invariants:
- The transaction that publishes a timer's event deletes its row, so it fires exactly once, on one
  instance.
- Each instance looks for due timers when the next one that it knows of is due, and at least every
  `LOOK_EVERY_S`. So another instance soon fires the timers of a dead one.
- A timer whose event cannot be published is postponed, and delays no other.
- A timer of a system that is off waits, and delays no other.
"""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

import msgspec
import structlog

from handlers.kit.contract import event_stored_as
from handlers.kit.kernel import Kernel, Origin, Wake
from handlers.kit.transaction import Transaction
from rooms.tasks import Tasks
from server.periodic import run_job
from storage.engine.database import Queries, StorageUnavailable
from storage.events import timers

log = structlog.get_logger("timers")

LOOK_EVERY_S = 5.0
BATCH_SIZE = 100
POSTPONE_S = 3600.0


class Timers:
    """Fires due timers; one for each instance."""

    def __init__(self, kernel: Kernel, waiting: frozenset[str]) -> None:
        """`waiting` are the stored names of events that must not be published here."""
        self._kernel = kernel
        self._waiting = sorted(waiting)
        self._set = asyncio.Event()
        self._next: datetime | None = None
        self._tasks = Tasks()

    async def start(self) -> None:
        self._tasks.spawn(self._keep_firing())

    async def stop(self) -> None:
        await self._tasks.end()

    def wake(self, wake: Wake) -> None:
        """Look again if a commit has set a timer that is the next one due."""
        if wake.due is not None and (self._next is None or wake.due < self._next):
            self._set.set()

    async def fire(self) -> int:
        """Fire up to `BATCH_SIZE` due timers; returns their number."""
        now = self._kernel.clock.now()
        due = await self._kernel.database.read(
            lambda queries: timers.list_due_timers(queries, now, BATCH_SIZE, self._waiting),
            kind="upkeep",
        )
        for timer in due:
            try:
                await self._kernel.database.transact(partial(self._fire, timer), kind="upkeep")
            except StorageUnavailable:
                raise
            except Exception as raised:
                log.error("timer_failed", timer=timer.key, error=type(raised).__name__)
                await self._kernel.database.transact(partial(self._postpone, timer), kind="upkeep")
        return len(due)

    def _postpone(self, timer: timers.Timer, queries: Queries) -> None:
        """Postpone a timer whose event cannot be published."""
        later = self._kernel.clock.now() + timedelta(seconds=POSTPONE_S)
        if timers.take_timer(queries, timer):  # not cancelled or moved meanwhile
            timers.set_timer(queries, timer.key, later, timer.name, timer.data)

    def _fire(self, timer: timers.Timer, queries: Queries) -> None:
        if timers.take_timer(queries, timer):
            tx = Transaction(queries, self._kernel, None, Origin())
            tx.publish(msgspec.json.decode(timer.data, type=event_stored_as(timer.name)))
            tx.flush()

    async def _keep_firing(self) -> None:
        while True:
            self._set.clear()
            await run_job(self._fire_until_next())
            wait_s = LOOK_EVERY_S
            if self._next is not None:
                until = (self._next - self._kernel.clock.now()).total_seconds()
                wait_s = min(max(until, 0.0), LOOK_EVERY_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._set.wait()

    async def _fire_until_next(self) -> None:
        self._next = None  # so that a timer that fails now is not retried at once
        since = self._kernel.clock.now()  # the timers due before this are fired now, or wait
        while await self.fire() == BATCH_SIZE:
            pass
        self._next = await self._kernel.database.read(
            lambda queries: timers.find_next_timer(queries, since, self._waiting), kind="upkeep"
        )
