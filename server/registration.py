"""Registers the consumers that this instance serves, and finds deliveries that no instance serves.

Invariants:
- An instance stores its consumers in the database before it commits anything for them, and confirms
  them every `CONFIRM_EVERY_S`. A consumer that was not confirmed for `SILENT_AFTER` is served by no
  running instance.
- A consumer also processes deliveries stored under its former names, at once and in order
  (`server/relay.py`). They get the present name only when no instance serves the former one, so an
  older instance keeps its own queues and leases. Both lock a delivery while its effect runs, so the
  effect happens once.
- Unserved deliveries are kept for an operator, and reported at the start and in `/metrics`.
"""

import asyncio
from datetime import timedelta

import structlog

from handlers.kit.command import Consumer
from handlers.kit.kernel import Kernel
from handlers.kit.registry import Registry
from handlers.kit.uniqueness import WrongDeclaration
from rooms.tasks import Tasks
from server.periodic import run_job
from server.telemetry import Metrics
from storage.engine.database import Queries
from storage.events import backfills, consumers
from storage.events.consumers import Unserved

log = structlog.get_logger("registration")

CONFIRM_EVERY_S = 30.0
SILENT_AFTER = timedelta(minutes=2)
UNSERVED_SHOWN_MAX = 100
MOVE_BATCH_SIZE = 500


def names_served(registry: Registry) -> dict[str, str]:
    """Every name that deliveries may have, with the present name of its consumer.

    Raises WrongDeclaration if two consumers have the same name.
    """
    names = {name: name for name in registry.consumers}
    for consumer in registry.consumers.values():
        for former in consumer.formerly:
            if former in names:
                raise WrongDeclaration(
                    f"{former} is the name of {names[former]} and of {consumer.name}"
                )
            names[former] = consumer.name
    return names


class Registration:
    """The registration of one instance's consumers."""

    def __init__(self, kernel: Kernel, registry: Registry, metrics: Metrics) -> None:
        self._kernel = kernel
        self._consumers = registry.consumers
        self._names = names_served(registry)
        self._metrics = metrics
        self._reported: set[str] = set()
        self._tasks = Tasks()

    async def start(self) -> None:
        """Register the consumers and report unserved deliveries; call before the relay starts."""
        await self._kernel.database.transact(self._register_all, kind="upkeep")
        await self.confirm()
        self._tasks.spawn(self._keep_confirming())

    async def stop(self) -> None:
        await self._tasks.end()

    async def confirm(self) -> None:
        """Confirm this instance's consumers, report unserved ones and move renamed deliveries."""
        database, now = self._kernel.database, self._kernel.clock.now()
        served = sorted(self._consumers)
        await database.transact(lambda tx: consumers.confirm_served(tx, served, now), kind="upkeep")
        unserved, silent = await database.read(self._look, kind="upkeep")
        self._metrics.unserved.set(sum(one.deliveries for one in unserved))
        fresh = [one for one in unserved if one.consumer not in self._reported]
        if fresh:
            await database.transact(lambda tx: self._note(tx, fresh), kind="upkeep")
        self._reported = {one.consumer for one in unserved}
        for former in silent:
            await self._move(former)

    def _register_all(self, queries: Queries) -> None:
        for name in sorted(self._consumers):
            self._register(queries, self._consumers[name])

    def _register(self, queries: Queries, consumer: Consumer) -> None:
        """Store the consumer; a new one that is not a renamed one starts its backfill."""
        now = self._kernel.clock.now()
        is_new = consumers.meet_consumer(queries, consumer.name, now)
        known = [one for one in consumer.formerly if is_new and consumers.was_served(queries, one)]
        backfills.inherit_backfill(queries, known, consumer.name)
        if consumer.is_backfilled:
            state: backfills.State = "running" if is_new and not known else "done"
            backfills.insert_backfill(queries, consumer.name, now, state)

    def _look(self, queries: Queries) -> tuple[list[Unserved], list[str]]:
        """The unserved consumers, and the former names that no instance serves any more."""
        since, shared = self._kernel.clock.now() - SILENT_AFTER, self._kernel.database.shared
        served = consumers.list_served(queries, since) if shared else []
        but = sorted({*self._names, *served})
        unserved = consumers.list_unserved(queries, but, UNSERVED_SHOWN_MAX)
        return unserved, sorted(self._names.keys() - self._consumers.keys() - set(served))

    def _note(self, queries: Queries, unserved: list[Unserved]) -> None:
        """Log newly unserved consumers once, and store the start of their time unserved."""
        for one in unserved:
            consumers.note_consumer(queries, one.consumer, self._kernel.clock.now())
            log.warning("deliveries_unserved", consumer=one.consumer, deliveries=one.deliveries)

    async def _move(self, former: str) -> None:
        """Give deliveries the present name; those being processed wait for the next round."""
        name, moved = self._names[former], MOVE_BATCH_SIZE
        while moved == MOVE_BATCH_SIZE:
            moved = await self._kernel.database.transact(
                lambda queries: consumers.move_deliveries(
                    queries, former, name, self._kernel.clock.now(), MOVE_BATCH_SIZE
                ),
                kind="upkeep",
            )

    async def _keep_confirming(self) -> None:
        while True:
            await asyncio.sleep(CONFIRM_EVERY_S)
            await run_job(self.confirm())
