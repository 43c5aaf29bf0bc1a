"""SQLite: one writer whose thread runs whole batches of transactions, and readers beside it.

Invariants:
- One thread holds the writing connection. Works that arrive while it is busy wait in a list and go
  together in its next hop: one BEGIN IMMEDIATE, a savepoint each, one COMMIT, then all the answers.
  No timer is involved, so a lone work waits for nothing and a crowd shares one fsync.
- A work that raises rolls back to its own savepoint and the others go on. When SQLite itself gave
  up the transaction (disk full), or the COMMIT fails, every work of the batch is refused.
- Readers are other connections in WAL mode: each read is one snapshot and never blocks the writer.
- The waiting list is bounded; beyond it a work is refused at once.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import aiosqlite
import structlog
from sqlalchemy import Executable

from storage.engine import Committed, StorageUnavailable, Work, hand_on
from storage.plans import Plan, plan_for

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


class SqliteQueries:
    """Statements on a bare sqlite3 connection, by plans compiled once."""

    __slots__ = ("_connection", "effects")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.effects: list[Any] = []

    def one(self, shape: type[T], statement: Executable, /, **values: Any) -> T | None:
        plan = plan_for(statement, values)
        row = self._execute(plan, values).fetchone()
        return None if row is None else shape(*plan.read(row))

    def all(self, shape: type[T], statement: Executable, /, **values: Any) -> list[T]:
        plan = plan_for(statement, values)
        return [shape(*plan.read(row)) for row in self._execute(plan, values)]

    def scalar(self, statement: Executable, /, **values: Any) -> Any:
        plan = plan_for(statement, values)
        row = self._execute(plan, values).fetchone()
        return None if row is None else plan.read(row)[0]

    def scalars(self, statement: Executable, /, **values: Any) -> list[Any]:
        plan = plan_for(statement, values)
        return [plan.read(row)[0] for row in self._execute(plan, values)]

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


class Threaded(aiosqlite.Connection):
    """A connection on whose own thread a plain function runs in one hop."""

    async def _in_thread(self, work: Callable[..., Any], *args: Any) -> Any:
        return await self._execute(work, *args)  # type: ignore[no-untyped-call]


class Writer(Threaded):
    """The writing connection; its thread runs a batch of works in one hop."""

    def run_batch(self, works: list[Work[Any]]) -> list[Outcome]:
        """On the connection's thread: all `works` in one transaction."""
        connection = self._conn
        connection.execute("BEGIN IMMEDIATE")
        try:
            outcomes = [run_in_savepoint(connection, work) for work in works]
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return outcomes

    async def hop(self, works: list[Work[Any]]) -> list[Outcome]:
        outcomes: list[Outcome] = await self._in_thread(self.run_batch, works)
        return outcomes


class Reader(Threaded):
    """A reading connection: one snapshot a hop."""

    def run_read(self, work: Work[T]) -> T:
        connection = self._conn
        connection.execute("BEGIN")
        try:
            return work(SqliteQueries(connection))
        finally:
            connection.execute("ROLLBACK")

    async def hop(self, work: Work[T]) -> T:
        value: T = await self._in_thread(self.run_read, work)
        return value


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


def refusal_of(error: BaseException) -> BaseException:
    """What the caller of a work that failed with `error` shall see."""
    if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _AWAY:
        return StorageUnavailable(str(error))
    return error


class SqliteDatabase:
    """The embedded database: a file, one writer, a few readers."""

    shared = False

    def __init__(self, path: str) -> None:
        self.path = path
        self.committed: Committed = lambda effects: None
        self._writer: Writer | None = None
        self._readers: asyncio.Queue[Reader] = asyncio.Queue()
        self._open_readers = 0
        self._waiting: list[tuple[Work[Any], asyncio.Future[Any]]] = []
        self._drain: asyncio.Task[None] | None = None

    async def start(self) -> None:
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        self._writer = Writer(self._connect, iter_chunk_size=CHUNK)
        await self._writer
        for _ in range(READERS):
            reader = Reader(self._connect_reader, iter_chunk_size=CHUNK)
            await reader
            self._readers.put_nowait(reader)
            self._open_readers += 1

    async def stop(self) -> None:
        if self._drain is not None:
            await self._drain
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.close()
            while self._open_readers:
                self._open_readers -= 1
                await (await self._readers.get()).close()

    async def transact(self, work: Work[T]) -> T:
        if self._writer is None or len(self._waiting) >= WAITING_MAX:
            raise StorageUnavailable("the database is stopped or overloaded")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, future))
        if self._drain is None or self._drain.done():
            self._drain = asyncio.create_task(self._run_waiting(self._writer))
        return await future

    async def read(self, work: Work[T]) -> T:
        if self._writer is None:
            raise StorageUnavailable("the database is stopped")
        reader = await self._readers.get()
        try:
            return await reader.hop(work)
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

    async def _run_waiting(self, writer: Writer) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            try:
                outcomes = await writer.hop([work for work, _ in batch])
            except Exception as error:
                log.warning("commit_failed", error=str(error), works=len(batch))
                outcomes = [Outcome(None, StorageUnavailable(str(error)), [])] * len(batch)
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                self._answer(future, outcome)

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
        connection.execute("PRAGMA cache_size=-65536")
        return connection
