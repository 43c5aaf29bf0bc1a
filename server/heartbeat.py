"""Renews the heartbeat of this instance, and detects dead instances.

Invariants:
- Exactly one instance takes a dead instance's row, in the transaction that publishes
  `INSTANCE_LOST` with the time of its last heartbeat. Calls, places and devices that the dead
  instance held end at that time, never later.
- Only an instance that has renewed its own heartbeat for `SILENT_AFTER` without a gap may take the
  row of another. So after an outage of the database, all instances have that long to return.
- An instance that was declared dead while it lost the database starts again under a new id and
  closes its connections. Their leases are gone, and clients acquire them again.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import structlog

from handlers.kit.ids import new_id
from handlers.kit.kernel import Kernel, Origin
from handlers.kit.life import InstanceLost
from handlers.kit.transaction import Transaction
from rooms.tasks import Tasks
from storage.engine.clock import SharedClock
from storage.engine.database import Queries, StorageUnavailable
from storage.events.instances import (
    confirm_instance,
    insert_instance,
    list_living,
    list_silent,
    take_instance,
)

log = structlog.get_logger("heartbeat")

CONFIRM_EVERY_S = 4.0
BEAT_WITHIN_S = 2.0
AGAIN_AFTER_S = 0.25
"""Retries soon, since a pooled database connection may be dead without showing it."""
ALIGN_TRIES = 3
SILENT_AFTER = timedelta(seconds=12)
LOST_AGAIN_AFTER = timedelta(seconds=6)
"""Longer than a transaction may last."""


class Heartbeat:
    """The heartbeat of one instance."""

    def __init__(self, kernel: Kernel, cut_all: Callable[[], None]) -> None:
        self._kernel = kernel
        self._cut_all = cut_all
        self._tasks = Tasks()
        self._confirmed_at = self._steady_since = kernel.clock.now()

    async def start(self) -> None:
        """Register this instance. With SQLite, which has one instance, all others are dead."""
        database = self._kernel.database
        await align_clock(self._kernel)
        await database.transact(self._introduce, kind="upkeep")
        self._confirmed_at = self._steady_since = self._kernel.clock.now()
        if not database.shared:
            await self.declare_dead(self._confirmed_at + timedelta(days=1))
        self._tasks.spawn(self._beat())

    async def stop(self) -> None:
        """Publish the orderly end of this instance: the leases that it holds end now."""
        if not self._tasks:
            return
        await self._tasks.end()
        now, own = self._kernel.clock.now(), self._kernel.instance_id
        try:
            await self._kernel.database.transact(partial(self._lost, own, now), kind="upkeep")
        except StorageUnavailable as error:  # another instance notices the missing heartbeat
            log.warning("end_not_told", error=str(error))

    async def declare_dead(self, before: datetime) -> None:
        """Publish the loss of every other instance without a heartbeat since `before`."""
        own = self._kernel.instance_id
        silent = await self._kernel.database.read(
            lambda queries: list_silent(queries, before, own), kind="upkeep"
        )
        for instance in silent:
            log.warning("instance_lost", instance=instance.id)
            await self._kernel.database.transact(
                partial(self._lost, instance.id, instance.confirmed_at), kind="upkeep"
            )

    def _introduce(self, queries: Queries) -> None:
        insert_instance(queries, self._kernel.instance_id, self._kernel.clock.now())

    def _confirm(self, queries: Queries) -> bool:
        return confirm_instance(queries, self._kernel.instance_id, self._kernel.clock.now())

    async def _renew_identity(self) -> None:
        """Change the id and close all connections: other instances ended this one's leases.

        Running transactions may still write leases under the old id. Once none of them can be
        running any more, the old id is published as lost again.
        """
        former = self._kernel.instance_id
        log.error("taken_for_dead", instance=former)
        self._kernel.instance_id = new_id(self._kernel.clock.now())
        try:
            await self._kernel.database.transact(partial(self._replace, former), kind="upkeep")
        except BaseException:
            self._kernel.instance_id = former  # the next heartbeat tries this again
            raise
        self._cut_all()

    def _replace(self, former: str, queries: Queries) -> None:
        self._introduce(queries)
        tx = Transaction(queries, self._kernel, None, Origin())
        due_at = tx.now + LOST_AGAIN_AFTER
        tx.publish_later(InstanceLost(instance_id=former, at=tx.now), due_at, f"lost:{former}")

    def _lost(self, instance_id: str, at: datetime, queries: Queries) -> None:
        if take_instance(queries, instance_id, at):
            tx = Transaction(queries, self._kernel, None, Origin())
            tx.publish(InstanceLost(instance_id=instance_id, at=at))
            tx.flush()

    async def _beat(self) -> None:
        pause_s = CONFIRM_EVERY_S
        while True:
            await asyncio.sleep(pause_s)
            pause_s = AGAIN_AFTER_S
            try:
                async with asyncio.timeout(BEAT_WITHIN_S):
                    await self._confirm_and_check_others()
                pause_s = CONFIRM_EVERY_S
            except (StorageUnavailable, TimeoutError) as error:
                log.warning("not_confirmed", error=str(error) or "it took too long")
            except Exception as raised:
                log.error("beat_failed", error=type(raised).__name__)

    async def _confirm_and_check_others(self) -> None:
        """Renew the heartbeat; declare silent instances dead if this one had no gap itself."""
        if isinstance(self._kernel.clock, SharedClock):
            await self._kernel.clock.align(self._kernel.database)
        if not await self._kernel.database.transact(self._confirm, kind="upkeep"):
            await self._renew_identity()
        now = self._kernel.clock.now()
        if now - self._confirmed_at >= SILENT_AFTER:
            self._steady_since = now
        self._confirmed_at = now
        if now - self._steady_since >= SILENT_AFTER:
            await self.declare_dead(now - SILENT_AFTER)


async def align_clock(kernel: Kernel) -> None:
    """Align the clock with a shared database's; raises StorageUnavailable."""
    clock = kernel.clock
    if not isinstance(clock, SharedClock):
        return
    for _ in range(ALIGN_TRIES):
        if await clock.align(kernel.database):
            return
    raise StorageUnavailable("the database answers too slowly to read its clock")


async def list_others(kernel: Kernel) -> list[str]:
    """The ids of the other living instances; raises StorageUnavailable."""
    after = kernel.clock.now() - SILENT_AFTER
    own = kernel.instance_id
    return await kernel.database.read(lambda queries: list_living(queries, after, own))
