"""What a database must offer, and how one is opened from its URL.

Work is a plain function that takes `Queries`. It runs whole in one transaction, off the event
loop's thread (SQLite) or in a greenlet (PostgreSQL), so there is nothing to await in it.

Invariants that both databases keep:
- a work that raises leaves nothing behind, unless what it raised says `keeps = True`;
- a work may be run again from its start, after a collision or beside one that was undone;
- a caller is answered only after the commit; when the commit fails, every work in it is refused;
- when nobody can tell whether COMMIT took effect, the caller is told so (OutcomeUnknown);
- what a work put into `Queries.effects` reaches `Database.committed` after its commit and before
  its caller is answered, on the event loop's thread, in commit order (SQLite) or near it.
"""

from collections.abc import Callable, Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, get_args

import asyncpg
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
"""For whom a work is: somebody who waits for the answer, an event, or the server itself."""
KINDS: tuple[Kind, ...] = get_args(Kind)
SQLITE = "sqlite:///"
POSTGRESQL = ("postgresql://", "postgresql+asyncpg://")


class StorageUnavailable(Exception):
    """The database cannot take this now (full, read-only, away, overloaded); nothing was kept."""


class OutcomeUnknown(StorageUnavailable):
    """COMMIT was sent and no answer came: the change may be kept or not, and nobody was told."""


class Queries(Protocol):
    """One transaction's statements. Values are bound by name; rows come back as the given shape."""

    effects: list[Any]
    dialect: Dialect
    """Which SQL it speaks, for the few statements that cannot be the same."""
    serializable: bool
    """Whether this transaction and others have the outcome of one after the other."""

    @property
    def rows_read(self) -> int:
        """How many rows came back so far."""

    @property
    def rows_written(self) -> int:
        """How many rows were inserted, changed or deleted so far."""

    def one(self, shape: type[T], statement: Executable, /, **values: Any) -> T | None:
        """The only row as `shape` (its fields are the columns, in order), or None."""

    def all(self, shape: type[T], statement: Executable, /, **values: Any) -> list[T]:
        """Every row as `shape`."""

    def scalar(self, statement: Executable, /, **values: Any) -> Any:
        """The first column of the first row, or None."""

    def scalars(self, statement: Executable, /, **values: Any) -> list[Any]:
        """The first column of every row."""

    def run(self, statement: Executable, /, **values: Any) -> int:
        """Execute for effect; the number of rows that it changed."""

    def run_many(self, statement: Executable, rows: Sequence[dict[str, Any]], /) -> None:
        """Execute once for each row of values (all with the same names)."""


class Database(Protocol):
    """A database that is open: `transact` changes, `read` sees one consistent snapshot."""

    shared: bool
    """Whether other instances may be using it too."""

    committed: Committed

    waits: "Waits"
    """Which works wait for a connection or for the writer."""

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
        """Run `work` in a transaction of its own and commit it.

        `savepoint` is for a work that often raises after a change: others in its batch then go on.
        `serializable` ones have the outcome of one after the other, in some order.
        Raises what `work` raises; StorageUnavailable when nothing was kept; OutcomeUnknown when
        the answer to COMMIT was lost. A caller that is cancelled meanwhile learns no outcome.
        """

    async def read(self, work: Work[T], *, kind: Kind = "commands") -> T:
        """Run `work` on one snapshot; it must not write. Raises StorageUnavailable."""

    async def ready(self) -> bool:
        """Whether a trivial read succeeds now."""


def hand_on(effects: list[Any], committed: Committed) -> None:
    """Tell of what was committed, one by one. What goes wrong with one keeps nobody waiting and
    takes no other with it."""
    for effect in effects:
        try:
            committed(effect)
        except Exception as raised:
            log.error("effect_lost", error=type(raised).__name__, effect=type(effect).__name__)


def check_url(url: str) -> None:
    """Raises ValueError, which never shows the URL, when an operator gave it wrong."""
    if url.startswith(SQLITE):
        if "?" in url:
            raise ValueError("takes no options after ?")
        return
    if not url.startswith(POSTGRESQL):
        raise ValueError("begins with sqlite:/// or postgresql://")
    try:
        options = make_url(url).query
    except (ArgumentError, ValueError):
        raise ValueError("cannot be read: percent-encode odd characters of its password") from None
    if unknown := sorted(options.keys() - signature(asyncpg.connect).parameters.keys()):
        raise ValueError(f"has the option {unknown[0]!r} that PostgreSQL's driver does not know")


def open_database(url: str) -> Database:
    """The database behind `url`: `sqlite:///path` or `postgresql://user@host/name`."""
    from storage.engine.postgres import PostgresDatabase
    from storage.engine.sqlite import SqliteDatabase

    if url.startswith(SQLITE):
        return SqliteDatabase(url.removeprefix(SQLITE))
    return PostgresDatabase("postgresql+asyncpg://" + url.split("://", 1)[1])
