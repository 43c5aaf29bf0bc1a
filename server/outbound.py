"""Runs outbound consumers, each under a lease on its delivery.

Invariants:
- The worker commits a lease, runs the consumer, then commits the outcome. So the consumer runs at
  least once, with the event's id as idempotency key.
- The worker renews the short lease while the consumer runs. If it cannot, it stops before the lease
  expires, so no two workers act at the same time. The lease of a dead worker expires after
  `LEASE_S`, and the next sweep of another instance takes over.
- The lease counts as an attempt, so a delivery that kills its worker is parked in the end.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from handlers.kit.command import Consumer
from handlers.kit.context import Context
from handlers.kit.kernel import Kernel
from server.stored_events import decode_event, origin_of
from storage.engine.database import Queries
from storage.events import deliveries
from storage.events.deliveries import Queue
from storage.events.log import StoredEvent

LEASE_S = 6.0
RENEW_EVERY_S = 2.0


class LeaseLost(Exception):
    """The lease could not be renewed in time, so another worker may have the delivery."""


@dataclass(frozen=True)
class LeasedDelivery:
    """A delivery on which this worker has a lease, and its event."""

    queue: Queue
    """As it is stored: its consumer may have had another name."""
    number: int
    attempts: int
    """The attempts including this one. If the stored number differs, the lease is lost."""
    event: StoredEvent


def take_lease(queries: Queries, leased: LeasedDelivery, now: datetime) -> None:
    """Store a lease on a delivery that nobody works on."""
    deliveries.postpone(
        queries,
        leased.queue,
        leased.number,
        attempts=leased.attempts,
        ready_at=now + timedelta(seconds=LEASE_S),
    )


class Outbound:
    """Runs outbound consumers on leased deliveries."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    async def run(self, consumer: Consumer, leased: LeasedDelivery) -> None:
        """Run the consumer and delete the delivery.

        Raises LeaseLost, StorageUnavailable, TimeoutError, and what the consumer raises.
        """
        context = Context(self._kernel, None, origin_of(leased.event), kind="consumers")
        async with asyncio.timeout(consumer.within_s):
            acting = asyncio.ensure_future(
                consumer.run(context, decode_event(self._kernel, leased.event))
            )
            try:
                while not (await asyncio.wait({acting}, timeout=RENEW_EVERY_S))[0]:
                    await self._renew(leased)
                acting.result()
            finally:
                acting.cancel()
                await asyncio.wait({acting}, timeout=RENEW_EVERY_S)
        await self._kernel.database.transact(
            lambda tx: deliveries.finish(tx, leased.queue, leased.number, leased.event.id),
            kind="consumers",
        )

    async def _renew(self, leased: LeasedDelivery) -> None:
        """Extend the lease; raises LeaseLost, StorageUnavailable."""
        until = self._kernel.clock.now() + timedelta(seconds=LEASE_S)
        try:
            async with asyncio.timeout(RENEW_EVERY_S):
                ours = await self._kernel.database.transact(
                    lambda tx: deliveries.renew(
                        tx, leased.queue, leased.number, leased.attempts, until
                    ),
                    kind="consumers",
                )
        except TimeoutError:
            raise LeaseLost from None
        if not ours:
            raise LeaseLost
