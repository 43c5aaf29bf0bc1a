"""SQLite: one writer whose thread runs whole batches of transactions, and readers beside it.

Invariants:
- One thread holds the writing connection. Works that arrive while it is busy wait in a list and go
  together in its next hop: one BEGIN IMMEDIATE, all the works, one COMMIT, then all the answers.
  No timer is involved, so a lone work waits for nothing and a crowd shares one fsync.
- A work that raises leaves nothing behind, and the others go on. Who often raises after a change
  says so (`apart`) and gets a savepoint; for all it would cost a third of the time here, since
  SQLite then copies every page before it changes it. After another one that raised so, the batch is
  rolled back and run once more, with a savepoint for each.
- When SQLite itself gave up the transaction (disk full), or the COMMIT fails, every work of the
  batch is refused. A COMMIT that fails while it writes may have left a whole transaction in the
  log: SQLite forgets it, but would find it there after a crash. So a small commit is written over
  it; only if that fails as well is the outcome unknown.
- Readers are other connections in WAL mode: each read is one snapshot and never blocks the writer.
- The waiting list is bounded; beyond it a work is refused at once.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import structlog
from sqlalchemy import Executable

from storage.checkpoints import PAGES_MAX, Checkpoints
from storage.engine import Committed, Dialect, OutcomeUnknown, StorageUnavailable, Work, hand_on
from storage.plans import Plan, plan_for
from storage.threads import Threaded

T = TypeVar("T")
log = structlog.get_logger("storage")

BATCH = 256
WAITING_MAX = 20_000
READERS = 2
BUSY_TIMEOUT_S = 5.0
CACHED_STATEMENTS = 512
CHUNK = 64

_AWAY = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOMEM,
}
_BEFORE_WRITING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CONSTRAINT}
"""Why a COMMIT fails before it wrote anything."""


class SqliteQueries:
    """Statements on a bare sqlite3 connection, by plans compiled once."""

    __slots__ = ("_changes_before", "_connection", "effects", "rows_read")
    dialect: Dialect = "sqlite"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._changes_before = connection.total_changes
        self.effects: list[Any] = []
        self.rows_read = 0

    @property
    def rows_written(self) -> int:
        return self._connection.total_changes - self._changes_before

    def one(self, shape: type[T], statement: Executable, /, **values: Any) -> T | None:
        plan = plan_for(statement, values)
        row = self._execute(plan, values).fetchone()
        self.rows_read += 1
        return None if row is None else shape(*plan.read(row))

    def all(self, shape: type[T], statement: Executable, /, **values: Any) -> list[T]:
        plan = plan_for(statement, values)
        rows = [shape(*plan.read(row)) for row in self._execute(plan, values)]
        self.rows_read += len(rows)
        return rows

    def scalar(self, statement: Executable, /, **values: Any) -> Any:
        plan = plan_for(statement, values)
        row = self._execute(plan, values).fetchone()
        self.rows_read += 1
        return None if row is None else plan.read(row)[0]

    def scalars(self, statement: Executable, /, **values: Any) -> list[Any]:
        plan = plan_for(statement, values)
        rows = [plan.read(row)[0] for row in self._execute(plan, values)]
        self.rows_read += len(rows)
        return rows

    def run(self, statement: Executable, /, **values: Any) -> int:
        return self._execute(plan_for(statement, values), values).rowcount

    def run_many(self, statement: Executable, rows: Sequence[dict[str, Any]], /) -> None:
        for row in rows:
            self._execute(plan_for(statement, row), row)

    def _execute(self, plan: Plan, values: dict[str, Any]) -> sqlite3.Cursor:
        return self._connection.execute(*plan.bind(values))


class Outcome(NamedTuple):
    """How one work of a batch ended: its value or what it raised, and its effects if kept."""

    value: Any
    error: BaseException | None
    effects: list[Any]


class Asked(NamedTuple):
    """A work that waits for the writer."""

    work: Work[Any]
    apart: bool
    answer: asyncio.Future[Any]


class Undone(Exception):
    """A work failed after it changed something, with nothing to roll back to but the beginning."""


def run_read(connection: sqlite3.Connection, work: Work[T]) -> T:
    """On a reader's thread: `work` on one snapshot."""
    connection.execute("BEGIN")
    try:
        return work(SqliteQueries(connection))
    finally:
        connection.execute("ROLLBACK")


def run_batch(connection: sqlite3.Connection, batch: list[Asked]) -> list[Outcome]:
    """On the writer's thread: the whole batch in one transaction."""
    alone = len(batch) == 1
    try:
        return run_all(connection, [(one.work, alone or one.apart) for one in batch])
    except Undone:
        return run_all(connection, [(one.work, True) for one in batch])


def run_all(connection: sqlite3.Connection, works: list[tuple[Work[Any], bool]]) -> list[Outcome]:
    """`works` in one transaction, each with whether it is apart."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        outcomes = [
            run_in_savepoint(connection, work) if apart else run_bare(connection, work)
            for work, apart in works
        ]
        commit(connection)
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return outcomes


def commit(connection: sqlite3.Connection) -> None:
    """COMMIT; what it raises left nothing behind, except OutcomeUnknown."""
    try:
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if code_of(error) not in _BEFORE_WRITING:
            erase_commit(connection, error)
        raise


def erase_commit(connection: sqlite3.Connection, error: sqlite3.Error) -> None:
    """Write another commit where the failed one may be; raises OutcomeUnknown if that fails too."""
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute(f"PRAGMA user_version={version}")
    except sqlite3.Error:
        raise OutcomeUnknown(f"COMMIT failed: {error}") from error


def run_bare(connection: sqlite3.Connection, work: Work[Any]) -> Outcome:
    """One work with nothing around it; Undone if it failed and the transaction has to go."""
    queries = SqliteQueries(connection)
    changes = connection.total_changes
    try:
        return Outcome(work(queries), None, queries.effects)
    except Exception as raised:
        if not connection.in_transaction:
            raise
        if getattr(raised, "keeps", False):
            return Outcome(None, raised, queries.effects)
        if connection.total_changes != changes:
            raise Undone from raised
        return Outcome(None, in_a_future(raised), [])


def run_in_savepoint(connection: sqlite3.Connection, work: Work[Any]) -> Outcome:
    """One work between SAVEPOINT and RELEASE; raises only if the whole transaction is lost."""
    queries = SqliteQueries(connection)
    connection.execute("SAVEPOINT work")
    try:
        value, error = work(queries), None
    except Exception as raised:
        value, error = None, in_a_future(raised)
        if not connection.in_transaction:
            raise
        if not getattr(raised, "keeps", False):
            connection.execute("ROLLBACK TO work")
            queries.effects.clear()
    connection.execute("RELEASE work")
    return Outcome(value, error, queries.effects)


def in_a_future(raised: Exception) -> Exception:
    """`raised`, or what stands for it where it is not allowed: a future takes no StopIteration."""
    if not isinstance(raised, StopIteration):
        return raised
    stopped = RuntimeError("a work raised StopIteration")
    stopped.__cause__ = raised
    return stopped


def code_of(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 for an error of the driver itself."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def refusal_of(error: BaseException) -> BaseException:
    """What the caller of a work that failed with `error` shall see."""
    if isinstance(error, sqlite3.Error) and code_of(error) in _AWAY:
        return StorageUnavailable(str(error))
    return error


class SqliteDatabase:
    """The embedded database: a file, one writer, a few readers."""

    shared = False
    _checkpoints: Checkpoints

    def __init__(self, path: str) -> None:
        self.path = path
        self.committed: Committed = lambda effects: None
        self._writer: Threaded | None = None
        self._readers: asyncio.Queue[Threaded] = asyncio.Queue()
        self._open_readers = 0
        self._waiting: list[Asked] = []
        self._drain: asyncio.Task[None] | None = None

    async def start(self) -> None:
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        self._writer = Threaded(self._connect, iter_chunk_size=CHUNK)
        beside = Threaded(self._connect, iter_chunk_size=CHUNK)
        await self._writer
        await beside
        self._checkpoints = Checkpoints(self._writer, beside)
        for _ in range(READERS):
            reader = Threaded(self._connect_reader, iter_chunk_size=CHUNK)
            await reader
            self._readers.put_nowait(reader)
            self._open_readers += 1

    async def stop(self) -> None:
        if self._drain is not None:
            await self._drain
        writer, self._writer = self._writer, None
        if writer is not None:
            await self._checkpoints.stop()
            await writer.close()
            while self._open_readers:
                self._open_readers -= 1
                await (await self._readers.get()).close()

    async def transact(self, work: Work[T], *, apart: bool = False) -> T:
        if self._writer is None or len(self._waiting) >= WAITING_MAX:
            raise StorageUnavailable("the database is stopped or overloaded")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(Asked(work, apart, future))
        if self._drain is None or self._drain.done():
            self._drain = asyncio.create_task(self._run_waiting(self._writer))
        return await future

    async def read(self, work: Work[T]) -> T:
        if self._writer is None:
            raise StorageUnavailable("the database is stopped")
        reader = await self._readers.get()
        try:
            return await reader.in_thread(run_read, work)
        except sqlite3.Error as error:
            raise refusal_of(error) from error
        finally:
            self._readers.put_nowait(reader)

    async def ready(self) -> bool:
        try:
            await self.read(lambda queries: None)
        except StorageUnavailable:
            return False
        return True

    async def _run_waiting(self, writer: Threaded) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            try:
                outcomes = await writer.in_thread(run_batch, batch)
            except BaseException as error:  # whatever a work raises, its callers are answered
                log.warning("commit_failed", error=str(error), works=len(batch))
                kind = OutcomeUnknown if isinstance(error, OutcomeUnknown) else StorageUnavailable
                outcomes = [Outcome(None, kind(str(error)), [])] * len(batch)
            for asked, outcome in zip(batch, outcomes, strict=True):
                self._answer(asked.answer, outcome)
            self._checkpoints.grown(writer.total_changes)

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
