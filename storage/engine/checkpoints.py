"""Checkpoints: copies SQLite's write-ahead log into the database file, in parallel to the writer.

By default, SQLite checkpoints after every thousand pages, during a commit. The callers of this
commit then wait for the checkpoint too, and pages that change often are copied often.

Invariants:
- A checkpoint starts after about `PAGES` changes, on its own connection and thread. The writer's
  thread then copies the few pages written meanwhile, between two batches, and the log restarts from
  its beginning. A reader that still uses the old log delays the restart to the next checkpoint.
- One checkpoint runs at a time. A failed one (disk full, another process) loses nothing: the log
  stays and the next checkpoint continues. Beyond `PAGES_MAX`, SQLite checkpoints by itself too.
"""

import asyncio
import sqlite3

import structlog

from storage.engine.threads import Threaded

log = structlog.get_logger("storage")

PAGES = 8_000
"""About 32 MB: a changed row costs about one page of the log, a long row more."""
PAGES_MAX = 64_000


class Checkpoints:
    """Checkpoints the log of one writer."""

    def __init__(self, writer: Threaded, copier: Threaded) -> None:
        self._writer = writer
        self._copier = copier
        self._copied_at = 0
        self._copying: asyncio.Task[None] | None = None

    def grown(self, changes: int) -> None:
        """Start a checkpoint if one is due; `changes` counts the rows changed since the start."""
        idle = self._copying is None or self._copying.done()
        if idle and changes - self._copied_at >= PAGES:
            self._copied_at = changes
            self._copying = asyncio.create_task(self._copy())

    async def stop(self) -> None:
        if self._copying is not None:
            await self._copying
        await self._copier.close()

    async def _copy(self) -> None:
        try:
            await self._copier.in_thread(copy_log)
            await self._writer.in_thread(copy_log)
        except sqlite3.Error as error:
            log.warning("log_not_copied", error=str(error))


def copy_log(connection: sqlite3.Connection) -> None:
    """On the connection's thread: copy all pages that no reader prevents from being copied."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
