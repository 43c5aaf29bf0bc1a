"""Says which consumers this instance serves, and finds the deliveries that nobody serves.

Invariants:
- An instance adds its consumers to the database before it commits anything for them, and confirms
  them every `CONFIRM_EVERY_S`. Consumers that were not confirmed for `SILENT_AFTER` are served by
  no running instance.
- A consumer goes on with what is stored under its former names, at once and in order
  (`server/relay.py`). Rows get its present name only when nobody serves the former one, so an older
  instance that still does keeps its own queues and leases. Both lock a delivery while its effect
  runs: the effect happens once.
- What nobody serves is kept for an operator. It is reported at the start and in `/metrics`.
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
MOVED_AT_ONCE = 500


def names_served(registry: Registry) -> dict[str, str]:
    """Every name that deliveries may be stored under, with the present name of its consumer.

    Raises WrongDeclaration when two consumers claim one name.
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
    """One an instance."""

    def __init__(self, kernel: Kernel, registry: Registry, metrics: Metrics) -> None:
        self._kernel = kernel
        self._consumers = registry.consumers
        self._names = names_served(registry)
        self._metrics = metrics
        self._reported: set[str] = set()
        self._tasks = Tasks()

    async def start(self) -> None:
        """Be known, inherit, and report what nobody serves; before the relay starts."""
        await self._kernel.database.transact(self._meet_all, kind="upkeep")
        await self.confirm()
        self._tasks.spawn(self._keep_confirming())

    async def stop(self) -> None:
        await self._tasks.end()

    async def confirm(self) -> None:
        """Confirm what this instance serves, and look after what nobody does."""
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

    def _meet_all(self, queries: Queries) -> None:
        for name in sorted(self._consumers):
            self._meet(queries, self._consumers[name])

    def _meet(self, queries: Queries, consumer: Consumer) -> None:
        """Add the consumer; one that is new here and has no former name wants its backfill."""
        now = self._kernel.clock.now()
        is_new = consumers.meet_consumer(queries, consumer.name, now)
        known = [one for one in consumer.formerly if is_new and consumers.was_served(queries, one)]
        backfills.inherit_backfill(queries, known, consumer.name)
        if consumer.is_backfilled:
            state: backfills.State = "running" if is_new and not known else "done"
            backfills.insert_backfill(queries, consumer.name, now, state)

    def _look(self, queries: Queries) -> tuple[list[Unserved], list[str]]:
        """What nobody serves, and the former names that nobody serves any more."""
        since, shared = self._kernel.clock.now() - SILENT_AFTER, self._kernel.database.shared
        served = consumers.list_served(queries, since) if shared else []
        but = sorted({*self._names, *served})
        unserved = consumers.list_unserved(queries, but, UNSERVED_SHOWN_MAX)
        return unserved, sorted(self._names.keys() - self._consumers.keys() - set(served))

    def _note(self, queries: Queries, unserved: list[Unserved]) -> None:
        """Report each once, as long as it stays so; its time without anybody begins here."""
        for one in unserved:
            consumers.note_consumer(queries, one.consumer, self._kernel.clock.now())
            log.warning("deliveries_unserved", consumer=one.consumer, deliveries=one.deliveries)

    async def _move(self, former: str) -> None:
        """Give its deliveries the present name; what somebody works on waits for the next time."""
        name, moved = self._names[former], MOVED_AT_ONCE
        while moved == MOVED_AT_ONCE:
            moved = await self._kernel.database.transact(
                lambda queries: consumers.move_deliveries(
                    queries, former, name, self._kernel.clock.now(), MOVED_AT_ONCE
                ),
                kind="upkeep",
            )

    async def _keep_confirming(self) -> None:
        while True:
            await asyncio.sleep(CONFIRM_EVERY_S)
            await run_job(self.confirm())
