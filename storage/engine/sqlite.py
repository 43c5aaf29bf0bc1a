"""SQLite: one writer whose thread runs whole batches of transactions, and readers beside it.

Invariants:
- One thread holds the writing connection. Works that arrive while it is busy wait in a list and go
  together in its next hop: one BEGIN IMMEDIATE, all the works, one COMMIT, then all the answers.
  No timer is involved, so a lone work waits for nothing and a crowd shares one fsync.
- A work that raises leaves nothing behind, and the others go on. Who often raises after a change
  asks for a `savepoint`; for all it would cost a third of the time here, since
  SQLite then copies every page before it changes it. After another one that raised so, the batch is
  rolled back and run once more, with a savepoint for each.
- When SQLite itself gave up the transaction (disk full), or the COMMIT fails, every work of the
  batch is refused; or hears that the outcome is unknown, when nobody can make sure.
- Readers are other connections in WAL mode: each read is one snapshot and never blocks the writer.
- The waiting list is bounded; beyond it a work is refused at once. It is one line for commands,
  consumers and upkeep, first come first served: consumers wait in it with one work for each worker
  of the relay, which is less than a batch, so that they hold up no command.
- A work that waited `LINE_MAX_S`, or whose caller is gone, is not begun. The caller of one that was
  begun waits for its outcome, but no longer than `BATCH_MAX_S`; then the outcome is unknown.
- There is one writer, so every transaction is as good as serializable.
"""

import asyncio
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import structlog

from storage.engine.checkpoints import PAGES_MAX, Checkpoints
from storage.engine.database import (
    Committed,
    Kind,
    OutcomeUnknown,
    StorageUnavailable,
    Work,
    hand_on,
)
from storage.engine.sqlite_batches import Asked, Outcome, refusal_of, run_batch, run_read
from storage.engine.sqlite_readers import Readers
from storage.engine.threads import Threaded
from storage.engine.waiting import Waits

T = TypeVar("T")
log = structlog.get_logger("storage")

BATCH = 256
WAITING_MAX = 20_000
LINE_MAX_S = 10.0
BATCH_MAX_S = 30.0
STOP_WITHIN_S = 40.0
BUSY_TIMEOUT_S = 5.0
CACHED_STATEMENTS = 512


class SqliteDatabase:
    """The embedded database: a file, one writer, a few readers."""

    shared = False
    _checkpoints: Checkpoints

    def __init__(self, path: str) -> None:
        self.path = path
        self.committed: Committed = lambda effects: None
        self.waits = Waits()
        self._writer: Threaded | None = None
        self._readers = Readers(self.waits)
        self._waiting: list[Asked] = []
        self._drain: asyncio.Task[None] | None = None

    async def start(self) -> None:
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        self._writer = Threaded(self._connect)
        beside = Threaded(self._connect)
        await self._writer.open()
        await beside.open()
        self._checkpoints = Checkpoints(self._writer, beside)
        await self._readers.start(self._connect_reader)

    async def stop(self) -> None:
        if self._drain is not None:
            await asyncio.wait({self._drain}, timeout=STOP_WITHIN_S)
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                await self._checkpoints.stop()
                await writer.close()
                await self._readers.stop()
        except TimeoutError:
            log.error("database_left", why="its threads did not end in time")

    async def transact(
        self,
        work: Work[T],
        *,
        savepoint: bool = False,
        kind: Kind = "commands",
        serializable: bool = False,
    ) -> T:
        if self._writer is None or len(self._waiting) >= WAITING_MAX:
            raise StorageUnavailable("the database is stopped or overloaded")
        loop = asyncio.get_running_loop()
        asked = Asked(work, savepoint, kind, self.waits.begin(kind), loop.create_future())
        self._waiting.append(asked)
        if self._drain is None or self._drain.done():
            self._drain = asyncio.create_task(self._run_waiting(self._writer))
        giving_up = loop.call_later(LINE_MAX_S, self._past_its_time, asked)
        try:
            value: T = await asked.answer
            return value
        finally:
            giving_up.cancel()

    async def read(self, work: Work[T], *, kind: Kind = "commands") -> T:
        if self._writer is None:
            raise StorageUnavailable("the database is stopped")
        try:
            return await self._readers.run(partial(run_read, work=work), kind)
        except sqlite3.Error as error:
            raise refusal_of(error) from error

    async def ready(self) -> bool:
        try:
            await self.read(lambda queries: None)
        except StorageUnavailable:
            return False
        return True

    def _past_its_time(self, asked: Asked) -> None:
        if asked.begun:
            asyncio.get_running_loop().call_later(BATCH_MAX_S, asked.give_up)
        else:
            asked.give_up()

    async def _run_waiting(self, writer: Threaded) -> None:
        while self._waiting:
            batch = self._next_batch()
            if not batch:
                continue
            try:
                outcomes = await writer.in_thread(run_batch, batch)
            except BaseException as error:  # whatever a work raises, its callers are answered
                log.warning("commit_failed", error=str(error), works=len(batch))
                unknown = isinstance(error, OutcomeUnknown)
                refusal = (OutcomeUnknown if unknown else StorageUnavailable)(str(error))
                outcomes = [Outcome(None, refusal, [])] * len(batch)
            for asked, outcome in zip(batch, outcomes, strict=True):
                self._answer(asked.answer, outcome)
            self._checkpoints.grown(writer.connection.total_changes)

    def _next_batch(self) -> list[Asked]:
        """The first of the line that anybody still waits for."""
        first, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
        for asked in first:
            self.waits.end(asked.kind, asked.at)
            asked.begun = not asked.answer.done()
        return [asked for asked in first if asked.begun]

    def _answer(self, future: asyncio.Future[Any], outcome: Outcome) -> None:
        hand_on(outcome.effects, self.committed)
        if future.done():  # its caller was cancelled; what it did stays done
            return
        if outcome.error is None:
            future.set_result(outcome.value)
        else:
            future.set_exception(refusal_of(outcome.error))

    def _connect_reader(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.execute("PRAGMA query_only=ON")
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            isolation_level=None,
            cached_statements=CACHED_STATEMENTS,
            check_same_thread=False,
            timeout=BUSY_TIMEOUT_S,
        )
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA secure_delete=ON")  # what is erased is not left in the file
        connection.execute("PRAGMA cache_size=-65536")
        connection.execute(f"PRAGMA wal_autocheckpoint={PAGES_MAX}")
        return connection
