"""Finds events that did not arrive: gaps in a stream, and lost last events, which leave no gap.

Invariants:
- A gap waits 50 ms for the missing events, then reads them from the database. At most one task
  fills a given stream.
- Twice a second, a sweep compares the heads that moved recently with the cursors here, because a
  lost last event leaves no gap. "Recently" covers the longest possible transaction.
- Events read from the database take the same path as events that arrive: `Stream.arrived` drops
  those already written out.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import structlog

from rooms.stream import Stream
from rooms.tasks import Tasks
from storage.engine.clock import Clock
from storage.engine.database import Database, Queries, StorageUnavailable
from storage.events import log as events
from storage.events.log import Head, Numbered

log = structlog.get_logger("rooms")

GAP_WAIT_S = 0.05
SWEEP_EVERY_S = 0.5
MOVED_WITHIN = timedelta(seconds=10)
FILL_LIMIT = 1_000
SWEEP_PAGE = 10_000


class Gaps:
    """Fills the gaps in the streams of one instance."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        streams: dict[str, Stream],
        written: Callable[[Stream, list[Numbered]], None],
        tasks: Tasks,
    ) -> None:
        self._database = database
        self._clock = clock
        self._streams = streams
        self._written = written
        self._tasks = tasks

    def catch_up(self, found: Stream, upto: int, wait_s: float) -> None:
        """Start to fill `found` up to number `upto`, if it is behind, after `wait_s`."""
        if found.cursor is not None and found.cursor < upto and not found.filling:
            found.filling = True
            self._tasks.spawn(self._fill(found, upto, wait_s))

    async def _fill(self, found: Stream, upto: int, wait_s: float) -> None:
        """Read the missing events, up to `upto` or the last event that arrived ahead."""
        await asyncio.sleep(wait_s)
        try:
            while (cursor := found.cursor or 0) < (last := max([*found.ahead, upto])):
                missing = await self._database.read(partial(list_missing, found.name, cursor, last))
                for event in missing:
                    self._written(found, found.arrived(event))
                if found.cursor == cursor:  # already deleted, or not visible yet
                    return
        except StorageUnavailable as error:
            log.warning("gap_not_filled", stream=found.name, error=str(error))  # the sweep retries
        finally:
            found.filling = False

    async def sweep(self) -> None:
        """Find lost events that leave no gap.

        Each round covers the time since the last successful round, plus the longest transaction
        before it.
        """
        looked_at = self._clock.now()
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            now = self._clock.now()
            try:
                await self._look(min(looked_at, now) - MOVED_WITHIN)
                looked_at = now
            except StorageUnavailable as error:
                log.warning("heads_not_read", error=str(error))
            except Exception as raised:
                log.error("round_failed", error=type(raised).__name__)

    async def _look(self, since: datetime) -> None:
        """Catch up with every stream on this instance whose head moved after `since`."""
        if not self._streams:
            return
        after = ""
        while True:
            heads = await self._database.read(partial(list_moved, since, after))
            for head in heads:
                found = self._streams.get(head.stream)
                if found is not None:
                    self.catch_up(found, head.seq, wait_s=0)
            if len(heads) < SWEEP_PAGE:
                return
            since, after = heads[-1].moved_at, heads[-1].stream


def list_moved(since: datetime, after: str, tx: Queries) -> list[Head]:
    return events.list_moved_heads(tx, since, after, SWEEP_PAGE)


def list_missing(name: str, after: int, upto: int, tx: Queries) -> list[Numbered]:
    return events.list_since(tx, name, after, upto, FILL_LIMIT)
