"""Reads a database's schema, from its own catalog, and all its rows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import Connection, create_engine, inspect, literal_column, select
from sqlalchemy import table as sql_table
from sqlalchemy.engine.reflection import Inspector

from storage.engine.database import open_database
from storage.engine.migrate import is_declared, migrate
from storage.engine.postgres import PostgresDatabase

T = TypeVar("T")
Schema = dict[str, str]
"""The definition of each part of a schema, by kind and name."""
Rows = dict[str, list[dict[str, Any]]]

OF_SQLITE = """
SELECT type || ' ' || name, sql FROM sqlite_master
WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'
"""
OF_POSTGRESQL = """
SELECT 'column ' || relname || '.' || attname,
    concat_ws(' ', format_type(atttypid, atttypmod), attnotnull, attgenerated, attidentity,
        pg_get_expr(adbin, adrelid))
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
UNION ALL
SELECT 'constraint ' || conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT 'index ' || indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT 'trigger ' || tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT 'function ' || oid::regprocedure, pg_get_functiondef(oid)
FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL
SELECT 'sequence or view ' || relname, relkind::text FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind NOT IN ('r', 'i')
"""


async def on(url: str, work: Callable[[Connection], T]) -> T:
    """Run `work` on a connection and commit; returns its result."""
    database = open_database(url)
    if isinstance(database, PostgresDatabase):
        try:
            async with database.connect() as connection:
                answer = await connection.run_sync(work)
                await connection.commit()
        finally:
            await database.stop()
        return answer
    Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url)
    try:
        with engine.begin() as plain:
            return work(plain)
    finally:
        engine.dispose()


async def run_script(url: str, script: str) -> None:
    """Run the statements of an SQL file, in one transaction."""
    script = f"BEGIN;\n{script}\nCOMMIT;"
    if url.startswith("postgresql"):
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            await connection.execute(script)
        finally:
            await connection.close()
    else:
        await on(url, lambda plain: plain.connection.driver_connection.executescript(script))


async def migrate_url(url: str) -> None:
    database = open_database(url)
    try:
        await migrate(database)
    finally:
        if database.shared:
            await database.stop()


def schema_of(connection: Connection) -> Schema:
    """Every table, index, constraint, trigger and function, ignoring white space."""
    catalog = OF_SQLITE if connection.dialect.name == "sqlite" else OF_POSTGRESQL
    return {name: " ".join(sql.split()) for name, sql in connection.exec_driver_sql(catalog)}


def declarable(connection: Connection) -> Schema:
    """The part of a schema that `Table`s can declare, independent of how it was created.

    An added column is the last of its table, and SQLite stores the statements that created it.
    """
    inspector, parts = inspect(connection), {}
    for table in inspector.get_table_names():
        if table != "alembic_version" and is_declared(table, "table", {}):
            parts |= {f"{table}: {name}": said for name, said in _parts_of(inspector, table)}
    return parts


def _parts_of(inspector: Inspector, table: str) -> list[tuple[str, str]]:
    of_table = {"table_name": table}
    columns = [
        (f"column {one['name']}", f"{one['type']} {one['nullable']} {one['default']}")
        for one in inspector.get_columns(table)
        if is_declared(one["name"], "column", of_table)
    ]
    indexes = [
        (f"index {one['name']}", f"{one['column_names']} {one['unique']} {_condition(one)}")
        for one in inspector.get_indexes(table)
        if is_declared(one["name"], "index", of_table)
    ]
    constraints = [
        *inspector.get_unique_constraints(table),
        *inspector.get_foreign_keys(table),
        *inspector.get_check_constraints(table),
        inspector.get_pk_constraint(table),
    ]
    named = [(f"constraint {one['name']}", str(dict(one))) for one in constraints]
    return [*columns, *indexes, *named]


def _condition(index: Any) -> str:
    options = index.get("dialect_options", {})
    return str(options.get("sqlite_where", options.get("postgresql_where")))


def rows_of(connection: Connection) -> Rows:
    """All rows of all tables, sorted by their values."""
    found = {}
    for table in inspect(connection).get_table_names():
        shadow = table.startswith("message_search_") and table != "message_search_noted"
        if table != "alembic_version" and not shadow:
            every = select(literal_column("*")).select_from(sql_table(table))
            rows = connection.execute(every).mappings()
            found[table] = sorted(map(dict, rows), key=str)
    return found
