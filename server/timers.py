"""Events that are to be published later, once their time has come.

Invariants:
- A timer's row is deleted in the transaction that publishes its event: it fires once, whichever
  instance comes first.
- Each instance looks when the next timer that it knows of is due, and every few seconds for those
  that others have set; so a dead instance's timers fire at the next look of any other.
- A timer whose event cannot be published is put off, and holds up no other.
- A timer of a system that is off waits, and holds up no other either.
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
TIMERS_AT_ONCE = 100
PUT_OFF_S = 3600.0


class Timers:
    """Fires what is due; one an instance."""

    def __init__(self, kernel: Kernel, waiting: frozenset[str]) -> None:
        """`waiting`: the names of events that are not to be published here."""
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
        """A commit has set a timer: look again if it is the next one."""
        if wake.due is not None and (self._next is None or wake.due < self._next):
            self._set.set()

    async def fire(self) -> int:
        """Publish the events of all timers that are due; how many there were."""
        now = self._kernel.clock.now()
        due = await self._kernel.database.read(
            lambda queries: timers.list_due_timers(queries, now, TIMERS_AT_ONCE, self._waiting),
            kind="upkeep",
        )
        for timer in due:
            try:
                await self._kernel.database.transact(partial(self._fire, timer), kind="upkeep")
            except StorageUnavailable:
                raise
            except Exception as raised:
                log.error("timer_failed", timer=timer.key, error=type(raised).__name__)
                await self._kernel.database.transact(partial(self._put_off, timer), kind="upkeep")
        return len(due)

    def _put_off(self, timer: timers.Timer, queries: Queries) -> None:
        """A timer whose event cannot be published (any more) holds up no other."""
        later = self._kernel.clock.now() + timedelta(seconds=PUT_OFF_S)
        if timers.take_timer(queries, timer):  # nobody cancelled or moved it meanwhile
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
        self._next = None  # until it is read: what cannot be fired now is not tried again at once
        since = self._kernel.clock.now()  # what is due by now is fired, or waits
        while await self.fire() == TIMERS_AT_ONCE:
            pass
        self._next = await self._kernel.database.read(
            lambda queries: timers.find_next_timer(queries, since, self._waiting), kind="upkeep"
        )
