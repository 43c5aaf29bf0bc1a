"""The migrations make exactly the tables that are declared, on both databases."""

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine

import storage.schema  # noqa: F401 - so that every table is known
from storage.columns import metadata
from storage.engine import open_database
from storage.migrate import migrate


@pytest.fixture
def empty_url(database_kind, tmp_path, request) -> str:
    """A database without any table."""
    if database_kind == "sqlite":
        return f"sqlite:///{tmp_path}/deep/empty.db"
    make = request.getfixturevalue("make_database")
    return make("empty")


def differences(connection: Connection) -> list[str]:
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "render_as_batch": True}
    )
    return [str(one) for one in compare_metadata(context, metadata)]


async def differences_of(url: str) -> list[str]:
    database = open_database(url)
    await migrate(database)
    if database.shared:
        async with database.connect() as connection:
            found = await connection.run_sync(differences)
        await database.stop()
        return found
    engine = create_engine(url)
    with engine.connect() as connection:
        found = differences(connection)
    engine.dispose()
    return found


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
