"""What did not arrive by itself: gaps in a stream, and last events that leave none.

Invariants:
- A gap waits 50 ms for the missing, then is read from the database; one filling a stream at a time.
- Twice a second the heads that moved lately are compared with the cursors here, since a lost last
  event shows no gap. "Lately" reaches back over the longest transaction.
- What is read goes the way of what arrives: `Stream.arrived` drops what was written out already.
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
    """Looks after the streams of one instance."""

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
        """See to it that `found` gets to number `upto`, if it is behind."""
        if found.cursor is not None and found.cursor < upto and not found.filling:
            found.filling = True
            self._tasks.spawn(self._fill(found, upto, wait_s))

    async def _fill(self, found: Stream, upto: int, wait_s: float) -> None:
        """Read what is missing between the cursor and what came ahead of it."""
        await asyncio.sleep(wait_s)
        try:
            while (cursor := found.cursor or 0) < (last := max([*found.ahead, upto])):
                missing = await self._database.read(partial(list_missing, found.name, cursor, last))
                for event in missing:
                    self._written(found, found.arrived(event))
                if found.cursor == cursor:  # too old and gone, or not to be seen yet
                    return
        except StorageUnavailable as error:
            log.warning("gap_not_filled", stream=found.name, error=str(error))  # the sweep retries
        finally:
            found.filling = False

    async def sweep(self) -> None:
        """Find what was lost without leaving a gap.

        A round looks back to the last one that succeeded, and over any transaction before it.
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
        """Catch up with every stream here whose head moved since then."""
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
