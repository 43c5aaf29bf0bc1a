"""PostgreSQL through asyncpg: each work function is one transaction, in a greenlet (`run_sync`).

Invariants:
- Changes use READ COMMITTED, or SERIALIZABLE if declared so. Reads use REPEATABLE READ, so each
  read is one snapshot.
- After a serialization failure or a deadlock, the function runs again from its start. It must
  therefore act only through its `Queries`, whose effects are passed on only after the commit.
- A unique violation causes a few reruns too: the transaction that lost the race finds the other
  one's row on its next run. Reruns are bounded in number and time, and hold no connection while
  they wait.
- A transaction that exceeds its time limit is rolled back and refused. The server itself ends a
  transaction whose client machine stopped responding.
- COMMIT has its own time limit. The server answers a COMMIT that it rolled back with an ERROR.
  Without an answer (a timeout, a lost connection, a server that shut down), the outcome is unknown.
- Transactions wait for connections in turn (`storage/engine/waiting.py`); some connections are
  reserved for commands.
- When a server refuses changes as read-only, all its connections are replaced: another server may
  be the primary now, and an existing connection can stay read-only.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import Any, TypeVar

import asyncpg
import structlog
from sqlalchemy import Connection, ExceptionContext, Executable, event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from storage.engine.database import (
    Committed,
    Dialect,
    Kind,
    OutcomeUnknown,
    StorageUnavailable,
    Work,
    pass_on,
)
from storage.engine.plans import plan_for
from storage.engine.waiting import Turns, Waits

T = TypeVar("T")
log = structlog.get_logger("storage")

POOL = 20
OTHERS_MAX = 12
CONSUMERS_MAX = 8
POOL_TIMEOUT_S = 5.0
TRANSACTION_MAX_S = 5.0
COMMIT_MAX_S = 5.0
SERVER_SETTINGS = {
    "jit": "off",  # compilation costs more than it saves for these queries
    # The locks of a lost machine stay until the server notices the loss.
    "idle_in_transaction_session_timeout": "6000",
    "tcp_user_timeout": "10000",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
READY_WITHIN_S = 5.0
STOP_WITHIN_S = 5.0
RERUNS_MAX = 20
RERUNS_WITHIN_S = 10.0
PAUSE_S, PAUSE_MAX_S = 0.002, 0.1
UNIQUE_RERUNS_MAX = 3
_RERUN = {"40001", "40P01"}
_UNIQUE = "23505"
_READ_ONLY = "25006"
_UNAVAILABLE = ("08", "53", "57", "58", _READ_ONLY)
"""SQLSTATE classes of server failures: connections, resources, operator intervention, system."""


class PostgresQueries:
    """Statements on a SQLAlchemy connection, whose cache compiles each statement once."""

    __slots__ = ("_connection", "effects", "rows_read", "rows_written", "serializable")
    dialect: Dialect = "postgresql"

    def __init__(self, connection: Connection, serializable: bool = False) -> None:
        self._connection = connection
        self.serializable = serializable
        self.effects: list[Any] = []
        self.rows_read = 0
        self.rows_written = 0

    def one(self, shape: type[T], statement: Executable, /, **values: Any) -> T | None:
        row = self._execute(statement, values).first()
        self.rows_read += 1
        return None if row is None else shape(*row)

    def all(self, shape: type[T], statement: Executable, /, **values: Any) -> list[T]:
        rows = [shape(*row) for row in self._execute(statement, values)]
        self.rows_read += len(rows)
        return rows

    def scalar(self, statement: Executable, /, **values: Any) -> Any:
        self.rows_read += 1
        return self._execute(statement, values).scalar()

    def scalars(self, statement: Executable, /, **values: Any) -> list[Any]:
        rows = list(self._execute(statement, values).scalars())
        self.rows_read += len(rows)
        return rows

    def run(self, statement: Executable, /, **values: Any) -> int:
        return int(self._execute(statement, values).rowcount)

    def run_many(self, statement: Executable, rows: Sequence[dict[str, Any]], /) -> None:
        if rows:
            plan_for(statement, rows[0])
            self._connection.execute(statement, list(rows))
            self.rows_written += len(rows)

    def _execute(self, statement: Executable, values: dict[str, Any]) -> Any:
        plan_for(statement, values)  # to check the names: SQLAlchemy ignores unknown ones
        result = self._connection.execute(statement, values)
        if getattr(statement, "is_dml", False):
            self.rows_written += max(result.rowcount, 0)
        return result


class Kept(Exception):
    """Carries an error with `keeps = True` out of the transaction, which commits anyway."""

    def __init__(self, raised: Exception, effects: list[Any]) -> None:
        super().__init__(raised)
        self.raised = raised
        self.effects = effects


class PostgresDatabase:
    """A pool of connections to one PostgreSQL database."""

    shared = True

    def __init__(self, url: str) -> None:
        self.url = url
        self.committed: Committed = lambda effects: None
        self.waits = Waits()
        self._turns = Turns(self.waits, POOL, OTHERS_MAX, CONSUMERS_MAX, POOL_TIMEOUT_S)
        self._engine = create_async_engine(
            url,
            pool_size=POOL,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT_S,
            pool_pre_ping=False,
            isolation_level="READ COMMITTED",
            hide_parameters=True,  # error texts go to the log
            connect_args={"server_settings": SERVER_SETTINGS},
        )
        event.listen(self._engine.sync_engine, "handle_error", disconnect_if_read_only)
        self._serializable = self._engine.execution_options(isolation_level="SERIALIZABLE")
        self._snapshots = self._engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

    async def start(self) -> None:
        async with asyncio.timeout(READY_WITHIN_S), self._engine.connect():
            pass

    async def stop(self) -> None:
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                await self._engine.dispose()
        except TimeoutError:
            log.warning("database_left", why="its connections did not close in time")

    async def transact(
        self,
        work: Work[T],
        *,
        savepoint: bool = False,
        kind: Kind = "commands",
        serializable: bool = False,
    ) -> T:
        until = asyncio.get_running_loop().time() + RERUNS_WITHIN_S
        for attempt in range(RERUNS_MAX):
            try:
                async with self._turns.turn(kind):
                    return await self._commit(work, serializable)
            except DBAPIError as error:
                lost_race = sqlstate_of(error) == _UNIQUE and attempt < UNIQUE_RERUNS_MAX
                if sqlstate_of(error) not in _RERUN and not lost_race:
                    raise error_for_caller(error) from error
            except (OSError, TimeoutError, PoolTimeout) as error:
                raise StorageUnavailable(str(error) or type(error).__name__) from error
            if asyncio.get_running_loop().time() > until:
                break
            await asyncio.sleep(pause_s(attempt))  # let the other transaction finish first
        raise StorageUnavailable("the transaction kept conflicting with others")

    async def _commit(self, work: Work[T], serializable: bool) -> T:
        engine = self._serializable if serializable else self._engine
        raised: Exception | None = None
        cap = asyncio.timeout(TRANSACTION_MAX_S)
        async with cap, engine.connect() as connection:
            try:
                value, effects = await connection.run_sync(_run, work, serializable)
            except Kept as kept:
                raised, effects = kept.raised, kept.effects
            cap.reschedule(None)
            await _send_commit(connection)
            pass_on(effects, self.committed)  # directly after the commit
        if raised is not None:
            raise raised
        return value

    async def read(self, work: Work[T], *, kind: Kind = "commands") -> T:
        try:
            async with (
                self._turns.turn(kind),
                asyncio.timeout(TRANSACTION_MAX_S),
                self._snapshots.connect() as connection,
            ):
                value, _ = await connection.run_sync(_run, work)
                return value
        except DBAPIError as error:
            raise error_for_caller(error) from error
        except (OSError, TimeoutError, PoolTimeout) as error:
            raise StorageUnavailable(str(error) or type(error).__name__) from error

    async def ready(self) -> bool:
        try:
            async with asyncio.timeout(READY_WITHIN_S), self._engine.connect() as connection:
                await connection.exec_driver_sql("SELECT 1")
        except (DBAPIError, OSError, TimeoutError, PoolTimeout):
            return False
        return True

    def connect(self) -> AsyncConnection:
        """A plain connection, for migrations."""
        return self._engine.connect()


def pause_s(attempt: int) -> float:
    """The pause before the next run; random, so that transactions do not collide again."""
    most = min(PAUSE_S * 2**attempt, PAUSE_MAX_S)
    return random.uniform(0, most)  # noqa: S311 - not a secret


def _run(connection: Connection, work: Work[T], serializable: bool = False) -> tuple[T, list[Any]]:
    queries = PostgresQueries(connection, serializable)
    try:
        return work(queries), queries.effects
    except Exception as raised:
        if getattr(raised, "keeps", False):
            raise Kept(raised, queries.effects) from raised
        raise


async def _send_commit(connection: AsyncConnection) -> None:
    """COMMIT; raises DBAPIError if the server rolled back, OutcomeUnknown without an answer."""
    try:
        async with asyncio.timeout(COMMIT_MAX_S):
            await connection.commit()
    except (DBAPIError, OSError, TimeoutError) as error:
        if isinstance(error, DBAPIError) and was_rolled_back(error):
            raise
        raise OutcomeUnknown(f"COMMIT was not answered: {type(error).__name__}") from error


def was_rolled_back(error: DBAPIError) -> bool:
    """Whether the failed COMMIT certainly changed nothing.

    The server reports a rollback with an ERROR. FATAL and PANIC end the session, perhaps between
    the commit and its answer. An InterfaceError means that the driver sent nothing.
    """
    cause = getattr(error.orig, "__cause__", None)
    return isinstance(cause, asyncpg.InterfaceError) or (
        getattr(cause, "severity_en", None) == "ERROR"
    )


def disconnect_if_read_only(context: ExceptionContext) -> None:
    """Replace all connections of the pool after a read-only error, as after a disconnect."""
    error = context.sqlalchemy_exception
    if isinstance(error, DBAPIError) and sqlstate_of(error) == _READ_ONLY:
        context.is_disconnect = True


def sqlstate_of(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", "") or "")


def error_for_caller(error: DBAPIError) -> Exception:
    """The error to raise for a transaction that failed with `error`."""
    unavailable = (
        isinstance(error, InterfaceError | OperationalError) or error.connection_invalidated
    )
    if unavailable or sqlstate_of(error).startswith(_UNAVAILABLE):
        return StorageUnavailable(str(error.orig))
    return error
