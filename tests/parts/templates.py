"""PostgreSQL databases with all tables and no rows, for one test each.

Emptying a database takes far less time than creating one, so one is lent again and again. The
connection that empties it stays open. It lives in a thread with an event loop of its own, because
each test has another loop.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import asyncpg
from sqlalchemy.ext.asyncio import create_async_engine

from storage.engine.migrate import upgrade
from tests.parts.postgres import Cluster

T = TypeVar("T")
STOP_LIMIT_S = 10
TABLES = """
SELECT quote_ident(tablename) FROM pg_tables
WHERE schemaname = 'public' AND tablename <> 'alembic_version'
"""
END_OTHERS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
SHAPE = """
SELECT (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal),
    (SELECT count(*) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
     WHERE nspname = 'public'),
    (SELECT count(*) FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace
     WHERE nspname = 'public'),
    (SELECT count(*) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase
     WHERE datname = current_database())
"""
"""What a test may have changed beside the rows: triggers, tables, functions and settings."""


@contextmanager
def running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop in a thread, and stop it afterwards."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(STOP_LIMIT_S)
        loop.close()


class Emptying:
    """A connection that deletes all rows of a database, with statements that stay prepared."""

    def __init__(self, connection: asyncpg.Connection, shape: Any, empty: Any) -> None:
        self._connection = connection
        self._shape = shape
        self._empty = empty

    @classmethod
    async def of(cls, url: str) -> "Emptying":
        # No trigger fires as a replica, so the order of the tables does not matter.
        settings = {"session_replication_role": "replica"}
        connection = await asyncpg.connect(_plain(url), server_settings=settings)
        tables = [row[0] for row in await connection.fetch(TABLES)]
        deletes = (f"t{i} AS (DELETE FROM {tables[i]})" for i in range(len(tables)))  # noqa: S608
        empty = await connection.prepare(f"WITH {', '.join(deletes)} SELECT 1")
        return cls(connection, await connection.prepare(SHAPE), empty)

    @property
    def works(self) -> bool:
        return not self._connection.is_closed()

    async def run(self) -> Any:
        """End all other connections and delete all rows; returns the shape of the database."""
        await self._connection.fetchval(END_OTHERS)
        shape = await self._shape.fetchrow()
        await self._empty.fetchval()
        return shape

    async def close(self) -> None:
        if self.works:
            await self._connection.close(timeout=STOP_LIMIT_S)


class Template:
    """A PostgreSQL database with all tables, copies of it, and one that is lent again and again."""

    def __init__(self, cluster: Cluster, loop: asyncio.AbstractEventLoop) -> None:
        self._cluster = cluster
        self._loop = loop
        self._name = ""
        self._copies = 0
        self._free: str | None = None
        self._shape: Any = None
        self._emptying: tuple[str, Emptying] | None = None

    async def lend(self) -> str:
        """The URL of a database without rows; `take_back` it after use."""
        url, self._free = self._free, None
        return url or await self.copy()

    async def take_back(self, url: str) -> None:
        """Empty a database for the next test, or drop it when more than its rows was changed."""
        if await self._aside(lambda: self._emptied(url)) == self._shape:
            self._free = url
        else:
            await self.drop(url)

    async def copy(self) -> str:
        """The URL of a fresh copy."""
        if not self._name:
            self._url = await self._make()
            self._name = self._url.rpartition("/")[2]
        self._copies += 1
        url = f"{self._url}_{self._copies}"
        await self.make_again(url)
        return url

    async def drop(self, url: str) -> None:
        """Drop a copy, ending the connections that are still open."""
        await self._sql(f'DROP DATABASE IF EXISTS "{url.rpartition("/")[2]}" WITH (FORCE)')

    async def make_again(self, url: str) -> None:
        """Make a copy of this very name, as if a dropped one had come back."""
        await self._sql(f'CREATE DATABASE "{url.rpartition("/")[2]}" TEMPLATE "{self._name}"')

    def close(self) -> None:
        """Close the lasting connection."""
        if self._emptying is not None:
            closing = self._emptying[1].close()
            asyncio.run_coroutine_threadsafe(closing, self._loop).result(STOP_LIMIT_S)

    async def _emptied(self, url: str) -> Any:
        """Empty a database; returns its shape. A connection that the test ended is replaced."""
        try:
            return await (await self._emptying_of(url)).run()
        except (asyncpg.PostgresError, asyncpg.InterfaceError):
            if self._emptying is None or self._emptying[1].works:
                raise
            return await (await self._emptying_of(url)).run()

    async def _emptying_of(self, url: str) -> Emptying:
        if self._emptying is not None and self._emptying[0] == url and self._emptying[1].works:
            return self._emptying[1]
        if self._emptying is not None:
            await self._emptying[1].close()
        emptying = await Emptying.of(url)
        self._emptying = (url, emptying)
        return emptying

    async def _aside(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run something in the thread of the lasting connection."""

        async def run() -> T:
            return await work()

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(run(), self._loop))

    async def _make(self) -> str:
        url = self._cluster.create("template")
        engine = create_async_engine(url)
        try:
            async with engine.begin() as connection:
                await connection.run_sync(upgrade)
        finally:  # uvloop waits for ever to close a loop that has a connection left
            await engine.dispose()
        connection = await asyncpg.connect(_plain(url))
        self._shape = await connection.fetchrow(SHAPE)
        await connection.close()
        return url

    async def _sql(self, statement: str) -> None:
        connection = await asyncpg.connect(f"{_plain(self._url).rpartition('/')[0]}/postgres")
        await connection.execute(statement)
        await connection.close()


def _plain(url: str) -> str:
    return url.replace("+asyncpg", "")
