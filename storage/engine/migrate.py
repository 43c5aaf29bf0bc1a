"""Upgrades the schema of a database at the start, with Alembic.

Invariants:
- An upgrade is one transaction, so that a failed or killed upgrade changes nothing.
- If several instances start on a shared database, one upgrades and the others wait.
"""

import asyncio
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, event, text

from storage.engine.database import Database
from storage.engine.postgres import PostgresDatabase
from storage.engine.sqlite import SqliteDatabase

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 0x5061726C6579  # "Parley", the key of PostgreSQL's advisory lock
UNRELEASED = re.compile(r"00\d\d")
"""Revisions of development versions before 0.1.0; that release's schema replaced them."""

REVISION_NAME = re.compile(r"[a-z0-9_]{1,21}")
"""Together with the date, at most the 32 characters that fit into Alembic's own table."""


class UnknownSchema(Exception):
    """This version cannot use the schema of the database; the text says why and what to do."""


def is_declared(name: str | None, kind: str, parents: Mapping[Any, str | None]) -> bool:
    """Whether an object of the schema comes from the declared tables.

    The full-text index of messages differs between the databases; only a migration creates it.
    """
    if kind == "table":
        return not (name or "").startswith("message_search")
    return (kind, name, parents.get("table_name")) not in (
        ("column", "terms", "messages"),
        ("index", "ix_messages_terms", "messages"),
    )


async def migrate(database: Database) -> None:
    """Run the missing migrations; raises UnknownSchema."""
    if isinstance(database, PostgresDatabase):
        async with database.connect() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
            await connection.run_sync(upgrade)
            await connection.commit()
    elif isinstance(database, SqliteDatabase):
        await asyncio.to_thread(migrate_file, database.path)


def migrate_file(path: str) -> None:
    """Run the missing migrations on a SQLite file, which need not exist yet.

    Raises UnknownSchema.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{path}")
    # By default, sqlite3 does not start a transaction before statements such as CREATE TABLE.
    event.listen(engine, "connect", lambda raw, _: setattr(raw, "isolation_level", None))
    event.listen(engine, "begin", lambda began: began.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with engine.begin() as connection:
            upgrade(connection)
    finally:
        engine.dispose()


def upgrade(connection: Connection) -> None:
    """Upgrade the database to the newest revision, in the transaction of `connection`.

    Raises UnknownSchema.
    """
    config = _config()
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision == ScriptDirectory.from_config(config).get_current_head():
        return
    if revision is not None:
        check_revision(revision)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def check_revision(revision: str) -> None:
    """Raises UnknownSchema unless this version can upgrade a database of this revision."""
    if UNRELEASED.fullmatch(revision):
        raise UnknownSchema(
            f"schema {revision} is from before release 0.1.0 and cannot be upgraded:"
            " start with an empty database"
        )
    if revision not in known_revisions():
        raise UnknownSchema(f"schema {revision} is from a newer version: run that version")


def known_revisions() -> frozenset[str]:
    """The revisions that this version can upgrade."""
    script = ScriptDirectory.from_config(_config())
    return frozenset(one.revision for one in script.walk_revisions())


def draft_revision(name: str, day: date) -> None:
    """Write the migration `<day>_<name>` from the newest revision to the declared tables.

    Raises ValueError for a name that cannot be a file name or does not fit into Alembic's table.
    """
    if not REVISION_NAME.fullmatch(name):
        raise ValueError("a migration name has at most 21 lower-case letters, digits and _")
    revision = f"{day:%Y_%m_%d}_{name}"
    message = name.replace("_", " ").capitalize()
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        upgrade(connection)
        config = _config()
        config.attributes["connection"] = connection
        command.revision(config, message, rev_id=revision, autogenerate=True)
    engine.dispose()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("file_template", "%%(rev)s")
    return config
