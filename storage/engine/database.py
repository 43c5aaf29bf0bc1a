"""The interface of a database, and the function that opens one from its URL.

A work function is a plain function of `Queries` that runs in one transaction, on another thread
(SQLite) or in a greenlet (PostgreSQL). It cannot await.

Invariants of both databases:
- A work function that raises leaves no changes, unless the error has `keeps = True`.
- A work function can run again from its start, after a collision or after another function of its
  batch failed.
- The caller gets an answer only after the commit. If the commit fails, every caller is refused.
- If it is unknown whether COMMIT took effect, the caller gets OutcomeUnknown.
- Values that a function adds to `Queries.effects` go to `Database.committed` after the commit and
  before the caller's answer, on the thread of the event loop. They arrive in commit order (SQLite)
  or nearly so (PostgreSQL).
"""

from collections.abc import Callable, Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, get_args

import structlog
from sqlalchemy import Executable, make_url
from sqlalchemy.exc import ArgumentError

if TYPE_CHECKING:
    from storage.engine.waiting import Waits

log = structlog.get_logger("storage")

T = TypeVar("T")
Work = Callable[["Queries"], T]
Dialect = Literal["sqlite", "postgresql"]
Committed = Callable[[Any], None]
Kind = Literal["commands", "consumers", "upkeep"]
"""The purpose of a transaction: a command, for which a client waits; a consumer; or upkeep."""
KINDS: tuple[Kind, ...] = get_args(Kind)
SQLITE = "sqlite:///"
POSTGRESQL = ("postgresql://", "postgresql+asyncpg://")


class StorageUnavailable(Exception):
    """The database is full, read-only, unreachable or overloaded; nothing was committed."""


class OutcomeUnknown(StorageUnavailable):
    """COMMIT had no answer: the change may be committed or not, and no effect was passed on."""


class Queries(Protocol):
    """The statements of one transaction. Values are bound by name; rows have the given shape."""

    effects: list[Any]
    dialect: Dialect
    """The SQL dialect, for the few statements that differ."""
    serializable: bool
    """Whether the transaction is serializable."""

    @property
    def rows_read(self) -> int:
        """The number of rows returned so far."""

    @property
    def rows_written(self) -> int:
        """The number of rows inserted, updated or deleted so far."""

    def one(self, shape: type[T], statement: Executable, /, **values: Any) -> T | None:
        """The only row as `shape` (its fields are the columns, in order), or None."""

    def all(self, shape: type[T], statement: Executable, /, **values: Any) -> list[T]:
        """Every row as `shape`."""

    def scalar(self, statement: Executable, /, **values: Any) -> Any:
        """The first column of the first row, or None."""

    def scalars(self, statement: Executable, /, **values: Any) -> list[Any]:
        """The first column of every row."""

    def run(self, statement: Executable, /, **values: Any) -> int:
        """Execute a change; returns the number of changed rows."""

    def run_many(self, statement: Executable, rows: Sequence[dict[str, Any]], /) -> None:
        """Execute once for each row of values, which all have the same names."""


class Database(Protocol):
    """An open database: `transact` makes changes, `read` sees one consistent snapshot."""

    shared: bool
    """Whether other instances can use the same database."""

    committed: Committed

    waits: "Waits"
    """The callers that wait for a connection or for the writer."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def transact(
        self,
        work: Work[T],
        *,
        savepoint: bool = False,
        kind: Kind = "commands",
        serializable: bool = False,
    ) -> T:
        """Run `work` in its own transaction and commit it.

        `savepoint` is for a function that often raises after a change; on SQLite it saves a rerun
        of the batch. `serializable` transactions have the outcome of some serial order.
        Raises the errors of `work`, StorageUnavailable if nothing was committed, and OutcomeUnknown
        if COMMIT had no answer. A caller that is cancelled meanwhile does not learn the outcome.
        """

    async def read(self, work: Work[T], *, kind: Kind = "commands") -> T:
        """Run `work` on one snapshot; it must not write. Raises StorageUnavailable."""

    async def ready(self) -> bool:
        """Whether a trivial read succeeds now."""


def pass_on(effects: list[Any], committed: Committed) -> None:
    """Pass committed effects on, one by one. An error of one is logged and does not affect the
    others or the caller."""
    for effect in effects:
        try:
            committed(effect)
        except Exception as raised:
            log.error("effect_lost", error=type(raised).__name__, effect=type(effect).__name__)


def check_url(url: str) -> None:
    """Raises ValueError, whose text never contains the URL, if the operator's URL is invalid."""
    if url.startswith(SQLITE):
        if "?" in url:
            raise ValueError("must not have options after ?")
        return
    if not url.startswith(POSTGRESQL):
        raise ValueError("must begin with sqlite:/// or postgresql://")
    import asyncpg  # not loaded for SQLite

    try:
        options = make_url(url).query
    except (ArgumentError, ValueError):
        raise ValueError(
            "cannot be parsed: percent-encode special characters in the password"
        ) from None
    if unknown := sorted(options.keys() - signature(asyncpg.connect).parameters.keys()):
        raise ValueError(
            f"has the option {unknown[0]!r}, which the PostgreSQL driver does not support"
        )


def open_database(url: str) -> Database:
    """The database behind `url`: `sqlite:///path` or `postgresql://user@host/name`."""
    if url.startswith(SQLITE):
        from storage.engine.sqlite import SqliteDatabase

        return SqliteDatabase(url.removeprefix(SQLITE))
    from storage.engine.postgres import PostgresDatabase

    return PostgresDatabase("postgresql+asyncpg://" + url.split("://", 1)[1])
