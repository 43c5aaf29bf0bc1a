"""Deletes old rows: those of the kernel, and those that domains declare (`Domain.forgets`).

It also deletes incomplete files that an interrupted upload left behind.

Invariants:
- A transaction deletes at most `CHUNK` rows, and a round at most `CHUNKS_MAX` times as many of each
  kind. If a round leaves rows, the next one follows soon.
- If deleting one kind fails, this is logged, and the other kinds are still deleted.
"""

import asyncio
import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import structlog

from handlers.kit.ids import id_at
from handlers.kit.kernel import Kernel
from handlers.kit.retention import Retention
from handlers.kit.rules import Rules
from handlers.kit.throttle import forget_throttles
from rooms.tasks import Tasks
from storage.engine.database import Queries, StorageUnavailable
from storage.events.consumers import give_up, list_lapsed
from storage.events.deliveries import forget_order_keys
from storage.events.idempotency import forget_keys
from storage.events.log import forget_events

log = structlog.get_logger("housekeeping")

FIRST_AFTER_S = 60.0
"""The first round starts after one to two times this, so that instances spread out."""
EVERY_S = 3600.0
CHUNK = 1_000
"""Rows in one transaction: few, so that other transactions do not wait long for the writer."""

CHUNKS_MAX = 200
SOON_S = 60.0
"""The pause after a round that left rows."""
HALF_WRITTEN = timedelta(hours=2)
"""How much longer than the life of an upload an incomplete file is kept."""


class Forget(Protocol):
    """Deletes at most `limit` rows and returns their number."""

    def __call__(self, tx: Queries, /, *, limit: int) -> int: ...


def kernel_retentions(now: datetime, rules: Rules) -> dict[str, Forget]:
    """The kernel's old rows at `now`, by kind, in an order that respects their references.

    An event is kept while a consumer still has to process it. A consumer that no running instance
    serves counts for a while: an older version, or one with fewer systems, may be running.
    """
    unserved_since = now - rules.span("unserved_kept_days")
    events_before = id_at(now - rules.span("events_kept_days"))
    return {
        "unserved deliveries": partial(
            give_up_unserved, before_id=events_before, since=unserved_since
        ),
        "events": partial(forget_events, before_id=events_before),
        "order_keys": forget_order_keys,
        "idempotency_keys": partial(forget_keys, before=now - rules.span("answers_kept_days")),
        "throttles": partial(forget_throttles, before=now),
    }


def domain_retention(retention: Retention, now: datetime, rules: Rules) -> Forget:
    """Deletes a domain's old rows at `now`."""
    before = retention.before(now, rules)

    def forget(tx: Queries, /, *, limit: int) -> int:
        return retention.forget(tx, before, limit)

    return forget


def give_up_unserved(tx: Queries, /, *, before_id: str, since: datetime, limit: int) -> int:
    """Delete at most `limit` deliveries of old events whose consumers went unserved since `since`.

    Returns their number.
    """
    given_up = 0
    for consumer in list_lapsed(tx, since):
        count = give_up(tx, consumer, before_id, limit - given_up)
        if count:
            log.warning("deliveries_given_up", consumer=consumer, events=count)
        given_up += count
        if given_up == limit:
            break
    return given_up


class Housekeeping:
    """Runs on every instance; running twice is harmless."""

    def __init__(self, kernel: Kernel, retentions: Iterable[Retention]) -> None:
        self._kernel = kernel
        self._retentions = tuple(retentions)
        self._tasks = Tasks()

    async def start(self) -> None:
        self._tasks.spawn(self._keep_tidying())

    async def stop(self) -> None:
        await self._tasks.end()

    async def tidy(self) -> bool:
        """Run one round; returns whether old rows may be left. Raises StorageUnavailable."""
        now, rules = self._kernel.clock.now(), self._kernel.rules
        old = kernel_retentions(now, rules)
        old |= {one.name: domain_retention(one, now, rules) for one in self._retentions}
        left = [kind for kind, forget in old.items() if await self._forget_some(kind, forget)]
        kept = rules.span("upload_life_s") + HALF_WRITTEN
        await self._kernel.objects.sweep(now - kept)
        return bool(left)

    async def _forget_some(self, kind: str, forget: Forget) -> bool:
        """Delete one kind, within a round's limit; returns whether old rows may be left."""
        try:
            some, transact = partial(forget, limit=CHUNK), self._kernel.database.transact
            for _ in range(CHUNKS_MAX):
                if await transact(some, kind="upkeep") < CHUNK:
                    return False
        except StorageUnavailable:
            raise
        except Exception as raised:
            log.error("not_forgotten", kind=kind, error=type(raised).__name__)
            return False
        log.info("more_to_forget", kind=kind)
        return True

    async def _keep_tidying(self) -> None:
        pause_s = FIRST_AFTER_S * random.uniform(1, 2)  # noqa: S311 - no secret
        while True:
            await asyncio.sleep(pause_s)
            pause_s = EVERY_S
            try:
                if await self.tidy():
                    pause_s = SOON_S
            except StorageUnavailable as error:
                log.warning("not_tidied", error=str(error))
            except Exception as raised:
                log.error("round_failed", error=type(raised).__name__)
