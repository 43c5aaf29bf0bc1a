"""Queues what consumers shall hear from before they were there, page by page.

Invariants (the pages' own are in `storage/events/backfills.py`):
- A page queues deliveries and has no other effect; the relay serves them by few slots. So a long
  backfill takes nothing from other consumers but one short transaction at a time.
- A page that fails is tried again, smaller. After the last try the backfill has failed: its
  consumer hears what waits, and an operator starts it anew with `run.py rebuild`.
- A page that the database does not take counts as a try only when it cannot be smaller and the
  database takes other work: an outage fails no backfill.
"""

import asyncio
from dataclasses import dataclass

import msgspec
import structlog

from handlers.kit.command import Consumer
from handlers.kit.contract import stored_name
from handlers.kit.kernel import Kernel, Origin
from handlers.kit.registry import Registry
from handlers.kit.transaction import Transaction
from rooms.tasks import Tasks
from server.logs import where
from server.periodic import run_job
from server.registration import names_served
from server.relay import decode_event
from server.telemetry import Metrics
from storage.engine.database import Queries, StorageUnavailable
from storage.events import backfills, deliveries
from storage.events.backfills import Backfill, PastEvent
from storage.events.log import StoredEvent

log = structlog.get_logger("backfill")

PAGE = 500
"""So many stored events are looked at, or so many events asked of a consumer, at a time."""
LOOK_EVERY_S = 2.5
PAUSE_S = 0.02
"""Between two pages, for the other works that wait for the database."""
LOG_EVERY = 20


@dataclass(frozen=True)
class Told:
    """A page: `(event id, order key)` in the order in which they are to be heard."""

    deliveries: list[tuple[str, str]]
    after: str | None


class Backfilling:
    """One an instance; any of them may take the next page."""

    def __init__(self, kernel: Kernel, registry: Registry, metrics: Metrics, tries: int) -> None:
        self._kernel = kernel
        self._consumers = registry.consumers
        self._names = names_served(registry)
        self._metrics = metrics
        self._tries = tries
        self._sizes: dict[str, int] = {}
        """How large the next page of a consumer is; `PAGE` when none failed."""
        self._tasks = Tasks()

    async def start(self) -> None:
        self._tasks.spawn(self._keep_looking())

    async def stop(self) -> None:
        await self._tasks.end()

    async def run(self) -> int:
        """Take the pages of every backfill that is running, to its end; how many."""
        running = await self._kernel.database.read(
            lambda queries: backfills.list_backfills(queries, "running"), kind="consumers"
        )
        pages = 0
        for one in running:
            if one.consumer in self._consumers:
                pages += await self._run_one(self._consumers[one.consumer])
        return pages

    async def _run_one(self, consumer: Consumer) -> int:
        pages = 0
        log.info("backfill_goes_on", consumer=consumer.name)
        while (state := await self._try_page(consumer)) == "running":
            pages += 1
            if pages % LOG_EVERY == 0:
                await self._report(consumer)
            await asyncio.sleep(PAUSE_S)
        await self._report(consumer)
        return pages + (state == "done")

    async def _report(self, consumer: Consumer) -> None:
        found = await self._kernel.database.read(
            lambda queries: backfills.find_backfill(queries, consumer.name), kind="consumers"
        )
        if found is not None:
            log.info("backfill", consumer=consumer.name, state=found.state, queued=found.queued)

    async def _try_page(self, consumer: Consumer) -> str | None:
        """The backfill's state after one more page; None when the page has to wait."""
        size = self._sizes.get(consumer.name, PAGE)
        try:
            state, count = await self._kernel.database.transact(
                lambda queries: self._take_page(queries, consumer, size), kind="consumers"
            )
        except StorageUnavailable as error:  # it may have taken too long
            log.warning("backfill_page_waits", consumer=consumer.name, error=str(error))
            if size == 1:
                await self._failed(consumer, error)
            self._sizes[consumer.name] = max(size // 2, 1)
            return None  # the other backfills get their turn
        except Exception as raised:
            self._sizes[consumer.name] = max(size // 2, 1)
            await self._failed(consumer, raised)
            return None
        self._sizes[consumer.name] = min(size * 2, PAGE)
        self._metrics.backfilled.labels(consumer.name).inc(count)
        return state

    def _take_page(self, queries: Queries, consumer: Consumer, size: int) -> tuple[str | None, int]:
        before = backfills.lock_backfill(queries, consumer.name)
        if before is None or before.state != "running":
            return None, 0  # another instance took the last page
        if consumer.rebuild is None:
            told = self._read_stored(queries, consumer, before, size)
        else:
            told = self._ask(queries, consumer, before, size)
        deliveries.insert_backlog(queries, consumer.name, told.deliveries, before.number)
        backfills.advance(queries, consumer.name, told.after, len(told.deliveries))
        return ("done" if told.after is None else "running"), len(told.deliveries)

    def _read_stored(
        self, queries: Queries, consumer: Consumer, before: Backfill, size: int
    ) -> Told:
        end = backfills.find_end(queries, before.after, size)
        if end is None:
            return Told([], None)
        names = [stored_name(event) for event in consumer.events]
        stored_as = (consumer.name, *consumer.formerly)
        found = backfills.list_unheard(queries, before.after, end, names, stored_as)
        heeded = [(one.id, one.order_key) for one in found if self._is_heeded(consumer, one)]
        return Told(heeded, end)

    def _is_heeded(self, consumer: Consumer, past: PastEvent) -> bool:
        if not past.data:  # wiped: there is nothing left to tell
            return False
        fields = msgspec.structs.asdict(past)
        del fields["order_key"]
        try:
            event = decode_event(self._kernel, StoredEvent(**fields))
        except Exception:
            return True  # its delivery fails and is parked, which an operator sees
        return consumer.filter(self._kernel.rules, event)

    def _ask(self, queries: Queries, consumer: Consumer, before: Backfill, size: int) -> Told:
        """What the consumer's domain says; it is stored as events that only this one is told."""
        assert consumer.rebuild is not None
        tx = Transaction(queries, self._kernel, None, Origin())
        page = consumer.rebuild(tx, before.after, size)
        if len(page.events) > size or page.after == before.after:
            raise ValueError(
                f"{consumer.name} returned a page that is too long or makes no progress"
            )
        heeded = [one for one in page.events if consumer.filter(self._kernel.rules, one)]
        records = [tx.record_of(event) for event in heeded]
        backfills.insert_told_events(queries, records, consumer.name)
        tx.flush()
        return Told([(record.id, record.order_key) for record in records], page.after)

    async def _failed(self, consumer: Consumer, raised: Exception) -> None:
        error = type(raised).__name__
        log.warning(
            "backfill_page_failed", consumer=consumer.name, error=error, where=where(raised)
        )
        try:
            failed = await self._kernel.database.transact(
                lambda queries: self._count_failure(queries, consumer.name, error), kind="consumers"
            )
        except StorageUnavailable:
            return  # the database is away, which is no fault of the page
        if failed:
            log.error("backfill_failed", consumer=consumer.name, error=error)

    def _count_failure(self, queries: Queries, name: str, error: str) -> bool:
        before = backfills.lock_backfill(queries, name)
        if before is None or before.state != "running":
            return False
        attempts = before.attempts + 1
        state: backfills.State = "failed" if attempts >= self._tries else "running"
        backfills.note_failure(queries, name, attempts=attempts, error=error, state=state)
        return state == "failed"

    async def _keep_looking(self) -> None:
        while True:
            await run_job(self.run())
            await asyncio.sleep(LOOK_EVERY_S)
