"""The migrations make exactly the tables that are declared, on both databases."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, column, create_engine, insert, text
from sqlalchemy import table as sql_table

import storage.schema  # noqa: F401 - so that every table is known
from storage.columns import metadata
from storage.engine import open_database
from storage.migrate import is_declared, migrate, upgrade
from storage.postgres import PostgresDatabase

T = TypeVar("T")
SIGNED_IN = "2026-01-01T00:00:00.000000Z"
SEEN = "2026-01-02T00:00:00.000000Z"
A_USER = {
    "id": "ana",
    "email": "ana@example.org",
    "email_verified": True,
    "first_name": "Ana",
    "last_name": "Example",
    "language": "en",
    "time_zone": "UTC",
    "roles": '["student"]',
    "settings": '{"dark": true}',
    "created_at": SIGNED_IN,
    "updated_at": SIGNED_IN,
}
A_SESSION = {
    "id": "one",
    "user_id": "ana",
    "device": "some browser",
    "address": "127.0.0.1",
    "created_at": SIGNED_IN,
    "refreshed_at": SEEN,
    "expires_at": "2027-01-01T00:00:00.000000Z",
}


@pytest.fixture
def empty_url(database_kind, tmp_path, request) -> str:
    """A database without any table."""
    if database_kind == "sqlite":
        return f"sqlite:///{tmp_path}/deep/empty.db"
    make = request.getfixturevalue("make_database")
    return make("empty")


def differences(connection: Connection) -> list[str]:
    opts = {"compare_type": True, "render_as_batch": True, "include_name": is_declared}
    context = MigrationContext.configure(connection, opts=opts)
    return [str(one) for one in compare_metadata(context, metadata)]


async def on(url: str, work: Callable[[Connection], T]) -> T:
    """What `work` returns of a connection; what it changed is kept."""
    database = open_database(url)
    if isinstance(database, PostgresDatabase):
        async with database.connect() as connection:
            answer = await connection.run_sync(work)
            await connection.commit()
        await database.stop()
        return answer
    Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url)
    with engine.begin() as plain:
        answer = work(plain)
    engine.dispose()
    return answer


async def differences_of(url: str) -> list[str]:
    database = open_database(url)
    await migrate(database)
    if database.shared:
        await database.stop()
    return await on(url, differences)


async def test_the_migrations_make_the_tables_that_are_declared(empty_url):
    assert await differences_of(empty_url) == []


async def test_migrating_again_changes_nothing(empty_url):
    await differences_of(empty_url)
    assert await differences_of(empty_url) == []


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_instances_that_start_at_once_migrate_one_after_the_other(empty_url):
    databases = [open_database(empty_url) for _ in range(4)]
    async with asyncio.timeout(20):
        await asyncio.gather(*(migrate(database) for database in databases))
    for database in databases:
        await database.stop()


def make_the_first_version(connection: Connection) -> None:
    """A database of the first version, in which somebody has a session."""
    upgrade(connection, "0001")
    for table, values in (("users", A_USER), ("sessions", A_SESSION)):
        fields = [column(name) for name in values]
        connection.execute(insert(sql_table(table, *fields)).values(values))


def the_session(connection: Connection) -> tuple[str, ...]:
    found = connection.execute(text("SELECT proved_at, seen_at, device_name FROM sessions")).one()
    return tuple(found)


async def test_what_there_was_before_the_migrations_is_there_after_them(empty_url):
    await on(empty_url, make_the_first_version)
    assert await differences_of(empty_url) == []
    assert await on(empty_url, the_session) == (SIGNED_IN, SEEN, "unknown")
