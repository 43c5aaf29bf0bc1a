"""Upgrades the schema of a database at the start.

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

from sqlalchemy import Connection, create_engine, event, inspect, text

from storage.engine.database import Database
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
        ("index", "ix_messages_unindexed", "messages"),
    )


async def migrate(database: Database) -> None:
    """Run the missing migrations; raises UnknownSchema."""
    if isinstance(database, SqliteDatabase):
        await asyncio.to_thread(migrate_file, database.path)
        return
    from storage.engine.postgres import PostgresDatabase

    if isinstance(database, PostgresDatabase):
        async with database.connect() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
            await connection.run_sync(upgrade)
            await connection.commit()


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
    revision = current_revision(connection)
    if revision == max(known_revisions()):
        return
    if revision is not None:
        check_revision(revision)
    from storage.engine.revisions import run_missing  # most starts do not need Alembic

    run_missing(connection, MIGRATIONS)


def current_revision(connection: Connection) -> str | None:
    """The revision of the database; None if it has no tables."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


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
    """The revisions that this version can upgrade. Their names begin with dates, so the last one by
    name is the newest."""
    return frozenset(file.stem for file in (MIGRATIONS / "versions").glob("*.py"))


def draft_revision(name: str, day: date) -> None:
    """Write the migration `<day>_<name>` from the newest revision to the declared tables.

    Raises ValueError for a name that cannot be a file name, does not fit into Alembic's table, or
    does not sort after the newest migration.
    """
    from storage.engine.revisions import write_draft

    if not REVISION_NAME.fullmatch(name):
        raise ValueError("a migration name has at most 21 lower-case letters, digits and _")
    revision, newest = f"{day:%Y_%m_%d}_{name}", max(known_revisions())
    if revision <= newest:
        raise ValueError(f"choose a name that sorts after {newest}, which is the newest migration")
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        upgrade(connection)
        write_draft(connection, MIGRATIONS, revision, name.replace("_", " ").capitalize())
    engine.dispose()
