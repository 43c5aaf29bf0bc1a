"""The functions that run on the threads of SQLite's connections: batches of changes, and reads.

Invariants:
- A batch is one BEGIN IMMEDIATE, all its work functions, one COMMIT.
- A function that raises leaves no changes, and the others continue. If it had no savepoint, the
  whole batch is rolled back and runs again with a savepoint for each function.
- A COMMIT that fails while it writes may have left a complete transaction in the log. SQLite
  ignores it, but would recover it after a crash. A small commit therefore overwrites it. Only if
  this fails too is the outcome unknown.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Executable

from storage.engine.database import Dialect, Kind, OutcomeUnknown, StorageUnavailable, Work
from storage.engine.plans import Plan, plan_for

T = TypeVar("T")

_UNAVAILABLE = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOMEM,
}
_NOT_WRITTEN = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,
}
"""Errors of a COMMIT that is not completely in the log, which SQLite never recovers."""


class SqliteQueries:
    """Statements on a plain sqlite3 connection, with plans that are compiled once."""

    __slots__ = ("_changes_before", "_connection", "effects", "rows_read")
    dialect: Dialect = "sqlite"
    serializable = True  # there is one writer

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
    """The outcome of one function of a batch: its value or error, and its committed effects."""

    value: Any
    error: BaseException | None
    effects: list[Any]


@dataclass(eq=False, slots=True)
class PendingWork:
    """A work function that waits for the writer since `at`, or that the writer runs."""

    work: Work[Any]
    savepoint: bool
    kind: Kind
    at: float
    answer: asyncio.Future[Any]
    begun: bool = False

    def give_up(self) -> None:
        """End the caller's wait: the time limit of the queue or of the batch has passed."""
        if self.answer.done():
            return
        if self.begun:
            self.answer.set_exception(OutcomeUnknown("the writer does not answer"))
        else:
            self.answer.set_exception(StorageUnavailable("the writer was not free in time"))


class BatchRolledBack(Exception):
    """A function without a savepoint failed after a change, so the batch is rolled back."""


def run_read(connection: sqlite3.Connection, work: Work[T]) -> T:
    """On a reader's thread: run `work` on one snapshot."""
    connection.execute("BEGIN")
    try:
        return work(SqliteQueries(connection))
    finally:
        connection.execute("ROLLBACK")


def run_batch(connection: sqlite3.Connection, batch: list[PendingWork]) -> list[Outcome]:
    """On the writer's thread: run the whole batch in one transaction."""
    alone = len(batch) == 1
    try:
        return run_all(connection, [(one.work, alone or one.savepoint) for one in batch])
    except BatchRolledBack:
        return run_all(connection, [(one.work, True) for one in batch])


def run_all(connection: sqlite3.Connection, works: list[tuple[Work[Any], bool]]) -> list[Outcome]:
    """Run `works` in one transaction; each function comes with whether it gets a savepoint."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        outcomes = [
            run_in_savepoint(connection, work)
            if savepoint
            else run_without_savepoint(connection, work)
            for work, savepoint in works
        ]
        commit(connection)
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return outcomes


def commit(connection: sqlite3.Connection) -> None:
    """COMMIT; any error except OutcomeUnknown means that nothing was committed."""
    try:
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if not _NOT_WRITTEN & {code_of(error), extended_code_of(error)}:
            erase_commit(connection, error)
        raise


def erase_commit(connection: sqlite3.Connection, error: sqlite3.Error) -> None:
    """Overwrite the failed commit in the log with another one; raises OutcomeUnknown on failure."""
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute(f"PRAGMA user_version={version}")
    except sqlite3.Error:
        raise OutcomeUnknown(f"COMMIT failed: {error}") from error


def run_without_savepoint(connection: sqlite3.Connection, work: Work[Any]) -> Outcome:
    """Run `work` without a savepoint; raises BatchRolledBack if it fails after a change."""
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
            raise BatchRolledBack from raised
        return Outcome(None, storable(raised), [])


def run_in_savepoint(connection: sqlite3.Connection, work: Work[Any]) -> Outcome:
    """Run `work` in a savepoint; raises only if the whole transaction is lost."""
    queries = SqliteQueries(connection)
    connection.execute("SAVEPOINT work")
    try:
        value, error = work(queries), None
    except Exception as raised:
        value, error = None, storable(raised)
        if not connection.in_transaction:
            raise
        if not getattr(raised, "keeps", False):
            connection.execute("ROLLBACK TO work")
            queries.effects.clear()
    connection.execute("RELEASE work")
    return Outcome(value, error, queries.effects)


def storable(raised: Exception) -> Exception:
    """`raised`, or a RuntimeError in place of StopIteration, which a future does not accept."""
    if not isinstance(raised, StopIteration):
        return raised
    stopped = RuntimeError("a work raised StopIteration")
    stopped.__cause__ = raised
    return stopped


def extended_code_of(error: sqlite3.Error) -> int:
    """SQLite's extended result code; 0 for an error of the driver itself."""
    return int(getattr(error, "sqlite_errorcode", 0))


def code_of(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 for an error of the driver itself."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def error_for_caller(error: BaseException) -> BaseException:
    """The error to raise to the caller of a function that failed with `error`."""
    if isinstance(error, sqlite3.Error) and code_of(error) in _UNAVAILABLE:
        return StorageUnavailable(str(error))
    return error
