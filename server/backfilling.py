"""Queues the events from before a consumer existed, page by page.

Invariants (those of a page are in `storage/events/backfills.py`):
- A page only queues deliveries, and the relay processes them with few slots. So a long backfill
  costs other consumers one short transaction at a time.
- A failed page is retried at half its size. After the last retry, the backfill has failed: its
  consumer processes the queued deliveries, and an operator restarts it with `run.py rebuild`.
- A page that the database refuses counts as a failure only if its size is 1 and the database
  accepts other work. So an outage fails no backfill.
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
from server.stored_events import decode_event
from server.telemetry import Metrics
from storage.engine.database import Queries, StorageUnavailable
from storage.events import backfills, deliveries
from storage.events.backfills import Backfill, PastEvent
from storage.events.log import StoredEvent

log = structlog.get_logger("backfill")

PAGE_SIZE = 500
"""The number of stored events to read, or of events to request from a consumer, per page."""
LOOK_EVERY_S = 2.5
PAUSE_S = 0.02
"""The pause between two pages, for other work that waits for the database."""
LOG_EVERY = 20


@dataclass(frozen=True)
class Page:
    """The deliveries of a page, as `(event id, order key)` in order, and where the next begins."""

    deliveries: list[tuple[str, str]]
    after: str | None


class Backfilling:
    """Runs backfills. Each instance has one, and any instance may process the next page."""

    def __init__(self, kernel: Kernel, registry: Registry, metrics: Metrics, tries: int) -> None:
        self._kernel = kernel
        self._consumers = registry.consumers
        self._names = names_served(registry)
        self._metrics = metrics
        self._tries = tries
        self._sizes: dict[str, int] = {}
        """The size of a consumer's next page; `PAGE_SIZE` unless a page failed."""
        self._tasks = Tasks()

    async def start(self) -> None:
        self._tasks.spawn(self._keep_looking())

    async def stop(self) -> None:
        await self._tasks.end()

    async def run(self) -> int:
        """Process all pages of every running backfill; returns the number of pages."""
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
        """Process one page; returns the backfill's state, or None if the page failed."""
        size = self._sizes.get(consumer.name, PAGE_SIZE)
        try:
            state, count = await self._kernel.database.transact(
                lambda queries: self._take_page(queries, consumer, size), kind="consumers"
            )
        except StorageUnavailable as error:  # the page may have been too long
            log.warning("backfill_page_waits", consumer=consumer.name, error=str(error))
            if size == 1:
                await self._failed(consumer, error)
            self._sizes[consumer.name] = max(size // 2, 1)
            return None  # go on with the other backfills
        except Exception as raised:
            self._sizes[consumer.name] = max(size // 2, 1)
            await self._failed(consumer, raised)
            return None
        self._sizes[consumer.name] = min(size * 2, PAGE_SIZE)
        self._metrics.backfilled.labels(consumer.name).inc(count)
        return state

    def _take_page(self, queries: Queries, consumer: Consumer, size: int) -> tuple[str | None, int]:
        before = backfills.lock_backfill(queries, consumer.name)
        if before is None or before.state != "running":
            return None, 0  # another instance processed the last page
        if consumer.rebuild is None:
            page = self._read_stored(queries, consumer, before, size)
        else:
            page = self._rebuild(queries, consumer, before, size)
        deliveries.insert_backlog(queries, consumer.name, page.deliveries, before.number)
        backfills.advance(queries, consumer.name, page.after, len(page.deliveries))
        return ("done" if page.after is None else "running"), len(page.deliveries)

    def _read_stored(
        self, queries: Queries, consumer: Consumer, before: Backfill, size: int
    ) -> Page:
        end = backfills.find_end(queries, before.after, size)
        if end is None:
            return Page([], None)
        names = [stored_name(event) for event in consumer.events]
        stored_as = (consumer.name, *consumer.formerly)
        found = backfills.list_unheard(queries, before.after, end, names, stored_as)
        chosen = [(one.id, one.order_key) for one in found if self._is_wanted(consumer, one)]
        return Page(chosen, end)

    def _is_wanted(self, consumer: Consumer, past: PastEvent) -> bool:
        if not past.data:  # an erasure wiped it
            return False
        fields = msgspec.structs.asdict(past)
        del fields["order_key"]
        try:
            event = decode_event(self._kernel, StoredEvent(**fields))
        except Exception:
            return True  # its delivery fails and is parked, where an operator sees it
        return consumer.filter(self._kernel.rules, event)

    def _rebuild(self, queries: Queries, consumer: Consumer, before: Backfill, size: int) -> Page:
        """Store events that the consumer's domain builds from its rows, for this consumer only."""
        assert consumer.rebuild is not None
        tx = Transaction(queries, self._kernel, None, Origin())
        page = consumer.rebuild(tx, before.after, size)
        if len(page.events) > size or page.after == before.after:
            raise ValueError(
                f"{consumer.name} returned a page that is too long or makes no progress"
            )
        chosen = [one for one in page.events if consumer.filter(self._kernel.rules, one)]
        records = [tx.record_of(event) for event in chosen]
        backfills.insert_told_events(queries, records, consumer.name)
        tx.flush()
        return Page([(record.id, record.order_key) for record in records], page.after)

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
            return  # the database is unavailable, so the page is not at fault
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
