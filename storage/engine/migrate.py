"""Brings a database's tables up to date at start, by alembic; several instances wait in line."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

from storage.engine.database import Database
from storage.engine.postgres import PostgresDatabase
from storage.engine.sqlite import SqliteDatabase

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 0x5061726C6579  # "Parley", the key of PostgreSQL's advisory lock


def is_declared(name: str | None, kind: str, parents: Mapping[Any, str | None]) -> bool:
    """Whether something of a database is made from the declared tables.

    The full-text index of messages is each database's own, made by a migration alone.
    """
    if kind == "table":
        return not (name or "").startswith("message_search")
    return (kind, name, parents.get("table_name")) not in (
        ("column", "terms", "messages"),
        ("index", "ix_messages_terms", "messages"),
    )


async def migrate(database: Database) -> None:
    """Run what migrations are missing."""
    if isinstance(database, PostgresDatabase):
        async with database.connect() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
            await connection.run_sync(upgrade)
            await connection.commit()
    elif isinstance(database, SqliteDatabase):
        await asyncio.to_thread(_migrate_file, database.path)


def _migrate_file(path: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        upgrade(connection)
    engine.dispose()


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Bring the database of `connection` to the newest (or that) revision, in its transaction."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def known_revisions() -> frozenset[str]:
    """The revisions of the schema that this version can start from."""
    script = ScriptDirectory.from_config(_config())
    return frozenset(one.revision for one in script.walk_revisions())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config
