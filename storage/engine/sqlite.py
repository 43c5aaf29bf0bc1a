"""SQLite: one writer, whose thread runs batches of work functions, and several readers.

Invariants:
- One thread owns the writing connection. Work functions that arrive while it is busy wait in a list
  and form the next batch: one BEGIN IMMEDIATE, all the functions, one COMMIT, then all the answers.
  There is no timer: a single function starts at once, and many share one fsync.
- A function that raises leaves no changes, and the others continue. Callers ask for a `savepoint`
  for a function that often raises after a change. Savepoints for all would cost a third of the
  time, because SQLite then copies every page before a change. If a function without one raises
  after a change, the batch is rolled back and runs again with a savepoint for each function.
- If SQLite aborts the transaction (disk full) or the COMMIT fails, every caller of the batch is
  refused, with OutcomeUnknown if the changes may have been committed.
- Readers are separate connections in WAL mode: each read is one snapshot and never blocks the
  writer.
- The waiting list is bounded; further callers are refused at once. Commands, consumers and upkeep
  share one queue in order of arrival. Consumers have at most one entry for each worker of the relay
  in it, which is less than a batch, so they do not delay commands.
- A function that waited `LINE_MAX_S`, or whose caller was cancelled, does not start. The caller of
  a started function waits at most `BATCH_MAX_S` more; then the outcome is unknown.
- There is one writer, so every transaction is serializable.
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
    pass_on,
)
from storage.engine.sqlite_batches import (
    Outcome,
    PendingWork,
    error_for_caller,
    run_batch,
    run_read,
)
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
    """The embedded database: a file with one writer and a few readers."""

    shared = False
    _checkpoints: Checkpoints

    def __init__(self, path: str) -> None:
        self.path = path
        self.committed: Committed = lambda effects: None
        self.waits = Waits()
        self._writer: Threaded | None = None
        self._readers = Readers(self.waits)
        self._waiting: list[PendingWork] = []
        self._drain: asyncio.Task[None] | None = None

    async def start(self) -> None:
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        self._writer = Threaded(self._connect)
        copier = Threaded(self._connect)
        await self._writer.open()
        await copier.open()
        self._checkpoints = Checkpoints(self._writer, copier)
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
        pending = PendingWork(work, savepoint, kind, self.waits.begin(kind), loop.create_future())
        self._waiting.append(pending)
        if self._drain is None or self._drain.done():
            self._drain = asyncio.create_task(self._run_waiting(self._writer))
        giving_up = loop.call_later(LINE_MAX_S, self._on_wait_limit, pending)
        try:
            value: T = await pending.answer
            return value
        finally:
            giving_up.cancel()

    async def read(self, work: Work[T], *, kind: Kind = "commands") -> T:
        if self._writer is None:
            raise StorageUnavailable("the database is stopped")
        try:
            return await self._readers.run(partial(run_read, work=work), kind)
        except sqlite3.Error as error:
            raise error_for_caller(error) from error

    async def ready(self) -> bool:
        try:
            await self.read(lambda queries: None)
        except StorageUnavailable:
            return False
        return True

    def _on_wait_limit(self, pending: PendingWork) -> None:
        if pending.begun:
            asyncio.get_running_loop().call_later(BATCH_MAX_S, pending.give_up)
        else:
            pending.give_up()

    async def _run_waiting(self, writer: Threaded) -> None:
        while self._waiting:
            batch = self._next_batch()
            if not batch:
                continue
            try:
                outcomes = await writer.in_thread(run_batch, batch)
            except BaseException as error:  # every error is answered to the callers
                log.warning("commit_failed", error=str(error), works=len(batch))
                unknown = isinstance(error, OutcomeUnknown)
                refusal = (OutcomeUnknown if unknown else StorageUnavailable)(str(error))
                outcomes = [Outcome(None, refusal, [])] * len(batch)
            for pending, outcome in zip(batch, outcomes, strict=True):
                self._answer(pending.answer, outcome)
            self._checkpoints.grown(writer.connection.total_changes)

    def _next_batch(self) -> list[PendingWork]:
        """The next entries of the queue whose callers still wait."""
        first, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
        for pending in first:
            self.waits.end(pending.kind, pending.at)
            pending.begun = not pending.answer.done()
        return [pending for pending in first if pending.begun]

    def _answer(self, future: asyncio.Future[Any], outcome: Outcome) -> None:
        pass_on(outcome.effects, self.committed)
        if future.done():  # the caller was cancelled; the change stays committed
            return
        if outcome.error is None:
            future.set_result(outcome.value)
        else:
            future.set_exception(error_for_caller(outcome.error))

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
        connection.execute("PRAGMA secure_delete=ON")  # overwrite erased data in the file
        connection.execute("PRAGMA cache_size=-65536")
        connection.execute(f"PRAGMA wal_autocheckpoint={PAGES_MAX}")
        return connection
