"""Upgrades a database's schema at start, by Alembic's revisions.

Invariants: an upgrade is one transaction, so that one that fails or is killed changes nothing. Of
instances that start at once on a shared database one upgrades, and the others wait for it.
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
"""With the date before it, at most the 32 characters that Alembic's own table holds."""


class UnknownSchema(Exception):
    """This version cannot use a database with that schema; the text says why and what to do."""


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
    """Run the missing migrations. Raises UnknownSchema."""
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
    # sqlite3 begins no transaction before CREATE TABLE and the like, unless it is told to.
    event.listen(engine, "connect", lambda raw, _: setattr(raw, "isolation_level", None))
    event.listen(engine, "begin", lambda began: began.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with engine.begin() as connection:
            upgrade(connection)
    finally:
        engine.dispose()


def upgrade(connection: Connection) -> None:
    """Bring the database of `connection` to the newest revision, in its transaction.

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
    """The revisions of the schema that this version can start from."""
    script = ScriptDirectory.from_config(_config())
    return frozenset(one.revision for one in script.walk_revisions())


def draft_revision(name: str, day: date) -> None:
    """Write the revision `<day>_<name>` that leads from the newest one to the declared tables.

    Raises ValueError for a name that no file or no row of Alembic's table can have.
    """
    if not REVISION_NAME.fullmatch(name):
        raise ValueError("a migration has a name of at most 21 lower-case letters, digits and _")
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
