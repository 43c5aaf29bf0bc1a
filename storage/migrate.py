"""Brings a database's tables up to date at start, by alembic; several instances wait in line."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text

from storage.engine import Database
from storage.postgres import PostgresDatabase
from storage.sqlite import SqliteDatabase

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 0x5061726C6579  # "Parley", the key of PostgreSQL's advisory lock


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
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
