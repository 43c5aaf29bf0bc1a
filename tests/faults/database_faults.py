"""Faults of a database that still allows reads; they end without a restart."""

import resource
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg

from storage.engine.sqlite import SqliteDatabase
from tests.world import World

DISK_FULL = "53100"
WRITTEN_LAST = ("stream_events", "presences", "instances")


@contextmanager
def limited_file_size(size: int) -> Iterator[None]:
    """Make the kernel refuse writes of this process beyond this file size, in bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def size_of_log(url: str) -> int:
    """The size of SQLite's write-ahead log in bytes; the next commit is appended to it."""
    return Path(url.removeprefix("sqlite:///") + "-wal").stat().st_size


@asynccontextmanager
async def full_disk(world: World) -> AsyncIterator[None]:
    """Simulate a full disk under the database.

    PostgreSQL's disk is not filled: triggers raise its error on the tables that a transaction
    writes last.
    """
    url = world.settings.database_url
    if not world.app.database.shared:
        with limited_file_size(size_of_log(url)):
            yield
        return
    await run_sql(
        url,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION "
        f"'could not extend file: No space left on device' USING ERRCODE = '{DISK_FULL}'; END $$",
        *(
            f"CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION refuse()"
            for table in WRITTEN_LAST
        ),
    )
    try:
        yield
    finally:
        await run_sql(url, "DROP FUNCTION refuse CASCADE")


@asynccontextmanager
async def read_only(world: World) -> AsyncIterator[None]:
    """Make the database refuse writes: SQLite by a pragma, PostgreSQL like a standby."""
    url, database = world.settings.database_url, world.app.database
    if isinstance(database, SqliteDatabase):
        writer = database._writer
        assert writer is not None
        await writer.in_thread(run_pragma, "query_only=ON")
        yield
        await writer.in_thread(run_pragma, "query_only=OFF")
        return
    name = url.rpartition("/")[2]
    await run_sql(
        url,
        f'ALTER DATABASE "{name}" SET default_transaction_read_only = on',
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    yield
    await run_sql(
        url,
        "SET transaction_read_only = off; "
        f'ALTER DATABASE "{name}" RESET default_transaction_read_only',
    )


def run_pragma(connection: sqlite3.Connection, text: str) -> None:
    connection.execute(f"PRAGMA {text}")


async def run_sql(url: str, *statements: str) -> None:
    """Run statements on the PostgreSQL server over a separate connection."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


FAULTS = {"full disk": full_disk, "read-only": read_only}
