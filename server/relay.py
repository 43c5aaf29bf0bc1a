"""Delivers stored events to consumers.

Invariants:
- A queue is a pair of consumer and order key. At most one worker of this instance processes a
  queue, lowest delivery first. Another instance's worker waits for the row lock, then finds the
  next delivery.
- A plain consumer's effect and the deletion of its delivery are one transaction, so the effect
  happens exactly once.
- An outbound consumer runs at least once, under a lease (`server/outbound.py`).
- Outbound consumers have their own slots, and long-running ones have separate slots, so that slow
  calls delay no other work.
- A failure counts on the delivery and postpones it, with a delay that doubles up to a maximum; the
  last failure parks it. A postponed or parked delivery blocks its own queue and no other.
- The instance that commits deliveries processes them. A sweep finds those that are due and were
  left. Both consider only the consumers of this instance, so others take no place in a sweep.
- A queue includes deliveries stored under its consumer's former names, lowest number first.
- Deliveries of a backfill run beside the others, in a few slots of their own. While a backfill is
  being queued (`storage/events/backfills.py`), its consumer's other deliveries wait.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from handlers.kit.command import OUTSIDE_WITHIN_S, Consumer
from handlers.kit.kernel import Kernel, Wake
from handlers.kit.registry import Registry
from handlers.kit.transaction import Transaction
from rooms.tasks import Tasks
from server.due_queues import DueQueues
from server.logs import where
from server.outbound import LeasedDelivery, LeaseLost, Outbound, take_lease
from server.periodic import run_job
from server.stored_events import decode_event, origin_of
from server.telemetry import Metrics
from storage.engine.database import Queries, StorageUnavailable
from storage.engine.isolation import is_serializable
from storage.events import backfills, deliveries
from storage.events import log as events
from storage.events.deliveries import Queue

log = structlog.get_logger("relay")

WORKERS_MAX = 32
OUTSIDE_MAX = 16
LONG_MAX = 2
BACKLOG_MAX = 4
BACKLOG_PAUSE_S = 0.01
SWEEP_EVERY_S = 2.5
BACKOFF_MAX_S = 60.0
PAUSE_MAX = timedelta(seconds=BACKOFF_MAX_S)


@dataclass(frozen=True)
class RetryPolicy:
    """The number of attempts for a delivery, and the pause before the second one."""

    tries: int
    backoff_s: float

    def pause_s(self, attempts: int) -> float:
        return float(min(self.backoff_s * 2 ** (attempts - 1), BACKOFF_MAX_S))


@dataclass(frozen=True)
class Attempt:
    """The delivery that is being processed, as it was at the start of the attempt."""

    number: int
    attempts: int
    correlation_id: str | None


@dataclass(frozen=True)
class Turn:
    """The result of one look at a queue: an outbound event to process, a wait, or the end."""

    again: bool = False
    wait_until: datetime | None = None
    leased: LeasedDelivery | None = None


class Relay:
    """The workers of one instance."""

    def __init__(
        self, kernel: Kernel, registry: Registry, metrics: Metrics, retry_policy: RetryPolicy
    ) -> None:
        self._kernel = kernel
        self._consumers = registry.consumers
        self._queues = DueQueues(registry)
        self._outbound = Outbound(kernel)
        self._metrics = metrics
        self._retry_policy = retry_policy
        self._active: dict[Queue, bool] = {}
        self._trying: dict[Queue, Attempt] = {}
        self._slots = asyncio.Semaphore(WORKERS_MAX)
        self._slots_outside = asyncio.Semaphore(OUTSIDE_MAX)
        self._slots_long = asyncio.Semaphore(LONG_MAX)
        self._slots_backlog = asyncio.Semaphore(BACKLOG_MAX)
        self._sweeping = Tasks()
        self._working = Tasks()
        self._serving = False
        self._more_backlog = 0

    async def start(self) -> None:
        self._serving = True
        self._sweeping.spawn(self._keep_sweeping())
        self._sweeping.spawn(self._keep_serving_backlog())

    async def stop(self) -> None:
        """Stop processing; running transactions are committed or rolled back."""
        self._serving = False
        await self._sweeping.end()
        await self._working.end()

    def wake(self, wake: Wake) -> None:
        """Process the deliveries of a commit."""
        for consumer in wake.consumers:
            self.serve(Queue(consumer, wake.order_key))

    def serve(self, queue: Queue) -> None:
        """Ensure that a worker processes `queue`, or looks again; ignored unless started."""
        if not self._serving or queue.consumer not in self._consumers:
            return
        if queue in self._active:
            self._active[queue] = True
        else:
            self._begin(queue, self._slots_for(self._consumers[queue.consumer]))

    def _begin(self, queue: Queue, slots: asyncio.Semaphore) -> asyncio.Task[None]:
        self._active[queue] = False
        return self._working.spawn(self._work(queue, slots))

    async def idle(self) -> None:
        """Wait until no queue is being processed; for tests and the demo."""
        while self._working:
            await self._working.wait()

    # One queue.

    async def _work(self, queue: Queue, slots: asyncio.Semaphore) -> None:
        try:
            while True:
                self._active[queue] = False
                async with slots:
                    again = await self._take_turn(queue)
                if not again and not self._active[queue]:
                    return
        finally:
            del self._active[queue]
            self._trying.pop(queue, None)

    def _slots_for(self, consumer: Consumer) -> asyncio.Semaphore:
        if not consumer.outbound:
            return self._slots
        return self._slots_long if consumer.within_s > OUTSIDE_WITHIN_S else self._slots_outside

    async def _take_turn(self, queue: Queue) -> bool:
        """Process the lowest delivery; returns whether there may be another."""
        consumer = self._consumers[queue.consumer]
        try:
            turn = await self._kernel.database.transact(
                lambda queries: self._take(queries, queue, consumer),
                kind="consumers",
                serializable=is_serializable(consumer.run) and not consumer.outbound,
            )
            if turn.leased is not None:
                await self._outbound.run(consumer, turn.leased)
        except StorageUnavailable as error:
            log.warning("delivery_waits", consumer=queue.consumer, error=str(error))
            self._later(queue, 1.0)
            return False
        except LeaseLost:
            log.warning("lease_lost", consumer=queue.consumer, order_key=queue.order_key)
            return False  # the worker that has it continues
        except Exception as raised:
            return await self._failed(queue, raised)
        if turn.wait_until is not None:
            self._later(queue, (turn.wait_until - self._kernel.clock.now()).total_seconds())
        return turn.again

    def _take(self, queries: Queries, queue: Queue, consumer: Consumer) -> Turn:
        now = self._kernel.clock.now()
        held = consumer.is_backfilled and backfills.is_running(queries, consumer.name)
        lowest = deliveries.find_lowest(queries, queue, consumer.formerly)
        if lowest is None or lowest.parked or (held and lowest.number >= 0):
            return Turn()
        stored_as = Queue(lowest.consumer, queue.order_key)
        if lowest.attempts and now < lowest.ready_at <= now + PAUSE_MAX:  # later: a clock step
            return Turn(wait_until=lowest.ready_at)
        stored = events.find_event(queries, lowest.event_id)
        if stored is None or not stored.data:  # deleted by age, or wiped by an erasure
            deliveries.delete_delivery(queries, stored_as, lowest.number)
            return Turn(again=True)
        attempts = lowest.attempts + (1 if consumer.outbound else 0)
        self._trying[queue] = Attempt(lowest.number, attempts, stored.correlation_id)
        if consumer.outbound:
            leased = LeasedDelivery(stored_as, lowest.number, attempts, stored)
            take_lease(queries, leased, now)
            return Turn(again=True, leased=leased)
        deliveries.delete_delivery(queries, stored_as, lowest.number)
        tx = Transaction(queries, self._kernel, None, origin_of(stored))
        tx.cause = stored
        consumer.run(tx, decode_event(self._kernel, stored))
        tx.flush()
        return Turn(again=True)

    async def _failed(self, queue: Queue, raised: Exception) -> bool:
        """Count the failure; returns False, because the queue continues after the pause."""
        self._metrics.failed.labels(queue.consumer).inc()
        attempt = self._trying.get(queue)
        log.warning(
            "delivery_failed",
            consumer=queue.consumer,
            order_key=queue.order_key,
            correlation_id=attempt.correlation_id if attempt else None,
            error=type(raised).__name__,
            where=where(raised),
        )
        error = type(raised).__name__
        try:
            pause_s = await self._kernel.database.transact(
                lambda queries: self._postpone(queries, queue, error), kind="consumers"
            )
        except StorageUnavailable:
            pause_s = 1.0
        if pause_s is not None:
            self._later(queue, pause_s)
        return False

    def _postpone(self, queries: Queries, queue: Queue, error: str) -> float | None:
        consumer = self._consumers[queue.consumer]
        lowest = deliveries.find_lowest(queries, queue, consumer.formerly)
        attempt = self._trying.get(queue)
        if lowest is None or attempt is None:
            return None
        if (lowest.number, lowest.attempts) != (attempt.number, attempt.attempts):
            return None  # another instance has processed it, or is doing so
        attempts = lowest.attempts + (
            0 if consumer.outbound else 1
        )  # taking the lease has already counted it
        parked = attempts >= self._retry_policy.tries
        pause_s = self._retry_policy.pause_s(attempts)
        deliveries.postpone(
            queries,
            Queue(lowest.consumer, queue.order_key),
            lowest.number,
            attempts=attempts,
            ready_at=self._kernel.clock.now() + timedelta(seconds=pause_s),
            parked=parked,
            error=error,
        )
        if parked:
            log.error("delivery_parked", consumer=queue.consumer, order_key=queue.order_key)
        return None if parked else pause_s

    def _later(self, queue: Queue, seconds: float) -> None:
        asyncio.get_running_loop().call_later(max(seconds, 0.001), self.serve, queue)

    # Sweeps and backlogs.

    async def sweep(self) -> int:
        """Process every due queue, also those of dead instances; returns their number."""
        due, parked, waiting = await self._kernel.database.read(
            lambda queries: (
                self._queues.list_due(queries, self._kernel.clock.now()),
                deliveries.count_parked(queries),
                deliveries.count_waiting(queries),
            ),
            kind="upkeep",
        )
        self._metrics.parked.set(parked)
        self._metrics.waiting.set(waiting)
        for queue in due:
            self.serve(queue)
        return len(due)

    async def serve_backlog(self) -> int:
        """Process some deliveries of backfills; returns the number of queues."""
        found = await self._kernel.database.read(self._queues.list_backlog, kind="consumers")
        queues = set(found) - self._active.keys()
        working = [self._begin(queue, self._slots_backlog) for queue in queues]
        if working:
            await asyncio.wait(working, timeout=SWEEP_EVERY_S)
        return len(working)

    async def _keep_sweeping(self) -> None:
        while True:
            await run_job(self.sweep())
            await asyncio.sleep(SWEEP_EVERY_S)

    async def _keep_serving_backlog(self) -> None:
        while True:
            self._more_backlog = 0
            await run_job(self._note_backlog())
            await asyncio.sleep(BACKLOG_PAUSE_S if self._more_backlog else SWEEP_EVERY_S)

    async def _note_backlog(self) -> None:
        self._more_backlog = await self.serve_backlog()
