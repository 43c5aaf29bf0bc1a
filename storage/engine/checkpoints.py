"""Copying SQLite's write-ahead log back into its file, beside the writer.

Left to itself SQLite copies after every thousand pages, inside of some commit: all who wait for
that one wait for the copying too, and pages that change all the time are copied all the time.

Invariants:
- The log is copied after about `PAGES`, by a connection and a thread of its own. What was written
  meanwhile is little, and the writer's thread copies it between two batches; then the log begins
  anew. A reader that is still in the old one puts that off to the next time.
- One copying at a time. One that fails (disk full, another process) loses nothing: the log is kept
  and the next one goes on; beyond `PAGES_MAX` SQLite's own copying helps.
"""

import asyncio
import sqlite3

import structlog

from storage.engine.threads import Threaded

log = structlog.get_logger("storage")

PAGES = 8_000
"""Some 32 MB, as a row that changes costs about a page of the log; long ones cost more."""
PAGES_MAX = 64_000


class Checkpoints:
    """Looks after the log of one writer."""

    def __init__(self, writer: Threaded, beside: Threaded) -> None:
        self._writer = writer
        self._beside = beside
        self._copied_at = 0
        self._copying: asyncio.Task[None] | None = None

    def grown(self, changes: int) -> None:
        """The writer has changed so many rows since it began."""
        idle = self._copying is None or self._copying.done()
        if idle and changes - self._copied_at >= PAGES:
            self._copied_at = changes
            self._copying = asyncio.create_task(self._copy())

    async def stop(self) -> None:
        if self._copying is not None:
            await self._copying
        await self._beside.close()

    async def _copy(self) -> None:
        try:
            await self._beside.in_thread(copy_log)
            await self._writer.in_thread(copy_log)
        except sqlite3.Error as error:
            log.warning("log_not_copied", error=str(error))


def copy_log(connection: sqlite3.Connection) -> None:
    """On the connection's thread: copy what nobody is in the way of."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
