"""Forgets what is old, everywhere: events, answers, and what domains needed only for a time.

And what is half-written where files are kept, since who wrote it was stopped.
"""

import asyncio
import random
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import structlog

from handlers.auth.public import (
    forget_devices,
    forget_ended_sessions,
    forget_ended_tokens,
    forget_spent_tokens,
)
from handlers.chat.public import forget_steps, forget_words
from handlers.identities.public import forget_attempts, forget_tickets
from handlers.kit.ids import id_at
from handlers.kit.kernel import Kernel
from handlers.kit.rules import Rules
from handlers.kit.throttle import forget_throttles
from handlers.notifications.public import forget_notifications
from handlers.pincodes.public import forget_pincodes
from handlers.previews.public import forget_counts, forget_pages
from handlers.send.public import forget_dispatches
from rooms.tasks import Tasks
from storage.engine import Queries, StorageUnavailable
from storage.events import forget_events
from storage.idempotency import forget_keys

log = structlog.get_logger("housekeeping")

FIRST_AFTER_S = 60.0
"""The first time comes one to two of these after the start, so that many instances spread out."""
EVERY_S = 3600.0
CHUNK = 1_000
"""So many rows a transaction, so that nobody waits long for the writer."""

PAGES_KEPT = timedelta(days=1)
COUNTS_KEPT = timedelta(hours=1)
HALF_WRITTEN = timedelta(hours=2)
"""A file may be on its way so long, beyond the time in which it has to be brought."""


class Forget(Protocol):
    """Deletes at most `limit` rows; how many it did."""

    def __call__(self, tx: Queries, /, *, limit: int) -> int: ...


def what_is_old(now: datetime, rules: Rules) -> list[Forget]:
    """All that is to be forgotten at `now`, in an order in which it can be.

    The addresses of strangers go soon. Who finds out late that somebody signed in as them can
    still see from where.

    A spent refresh token is kept as long as it could have been used, for who brings it again is
    a thief; the record of a dispatch as long as the events that tell of it.
    """
    sessions_since = now - rules.span("sessions_kept_days")
    events_since = now - rules.span("events_kept_days")
    return [
        partial(forget_events, before_id=id_at(events_since)),
        partial(forget_steps, before=events_since),
        forget_words,
        partial(forget_dispatches, before=events_since),
        partial(forget_keys, before=now - rules.span("answers_kept_days")),
        partial(forget_pincodes, before=now - rules.span("pincodes_kept_s")),
        partial(forget_throttles, before=now),
        partial(forget_devices, before=now - rules.span("devices_known_days")),
        partial(forget_pages, before=now - PAGES_KEPT),
        partial(forget_counts, before=now - COUNTS_KEPT),
        partial(forget_attempts, before=now),
        partial(forget_tickets, before=now),
        partial(forget_spent_tokens, before=now - rules.span("refresh_token_life_days")),
        partial(forget_ended_tokens, before=sessions_since),
        partial(forget_ended_sessions, before=sessions_since),
        partial(forget_notifications, before_id=id_at(now - rules.span("notifications_kept_days"))),
    ]


class Housekeeping:
    """One an instance; doing it twice is harmless."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._tasks = Tasks()

    async def start(self) -> None:
        self._tasks.spawn(self._keep_house())

    async def stop(self) -> None:
        await self._tasks.end()

    async def tidy(self) -> None:
        """Forget once."""
        for forget in what_is_old(self._kernel.clock.now(), self._kernel.rules):
            await self._forget_all(forget)
        kept = self._kernel.rules.span("upload_life_s") + HALF_WRITTEN
        await self._kernel.objects.sweep(self._kernel.clock.now() - kept)

    async def _forget_all(self, forget: Forget) -> None:
        some, transact = partial(forget, limit=CHUNK), self._kernel.database.transact
        while await transact(some, kind="upkeep") == CHUNK:
            pass

    async def _keep_house(self) -> None:
        pause_s = FIRST_AFTER_S * random.uniform(1, 2)  # noqa: S311 - no secret
        while True:
            await asyncio.sleep(pause_s)
            pause_s = EVERY_S
            try:
                await self.tidy()
            except StorageUnavailable as error:
                log.warning("not_tidied", error=str(error))
            except Exception as raised:
                log.error("round_failed", error=type(raised).__name__)
