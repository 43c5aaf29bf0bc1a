"""Every statement uses an index, on both databases, and its cost does not grow with its table.

The statements are those that the modules of `storage` pass to `Queries`. They are found in the
source, so new ones are checked automatically.
"""

import ast
import importlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from msgspec.structs import replace
from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Delete,
    Executable,
    Insert,
    Integer,
    Table,
    Text,
    cast,
    func,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import NullType

import storage
from handlers.kit.ids import id_at
from storage.consulting import booking
from storage.consulting.availability import schedules as availability
from storage.engine import plans
from storage.engine.columns import Instant, metadata
from storage.engine.sqlite import SqliteDatabase
from storage.engine.sqlite_batches import SqliteQueries
from storage.events import deliveries, timers
from storage.events import log as events
from storage.events.missed import has_more_than
from storage.platform.chat import conversations as chat
from storage.platform.chat import marks as chat_marks
from storage.platform.chat import members as chat_members
from storage.platform.chat import messages as chat_messages
from storage.platform.chat import search as chat_search
from storage.platform.notifications import inbox as notifications
from storage.platform.personal_data import kept_json, personal_rows
from storage.platform.profile import users
from tests.bounds import queries_of_domains
from tests.parts.source import parse
from tests.storage.scratch import FOR_EVER, NOW

SCANNED = {
    "events.epoch._GET": "the table has one row",
    "events.instances._SILENT": "the table has a row for each running instance",
    "events.instances._LIVING": "the table has a row for each running instance",
    "events.backfills._IN_STATE": "the table has a row for each consumer with a backfill",
    "events.consumers._SERVED": "the table has a row for each consumer",
    "events.consumers._LAPSED": "the table has a row for each consumer",
    "events.consumers._UNSERVED": "it counts all that waits, twice a minute",
    "events.consumers._STORED_UNDER": "it runs for consumers with former names, twice a minute",
    "events.deliveries._UNUSED_KEYS": "most keys that there are have no deliveries",
    "engine.clock._NOW": "it reads no table",
    **queries_of_domains("SCANNED"),
}
"""Statements without an index, each with the reason why it needs none."""

OF_ONE_DATABASE = queries_of_domains("OF_ONE")
"""Statements in the SQL dialect of one database."""


# The statements.


class Statement(NamedTuple):
    name: str
    executable: Executable


def statements() -> Iterator[Statement]:
    """Every statement that is passed to `Queries`, once."""
    yield from personal_statements()
    made_of_tables = {Path(personal_rows.__file__), Path(kept_json.__file__)}
    for found in walk_packages(storage.__path__, "storage."):
        module = importlib.import_module(found.name)
        place, file = found.name.removeprefix("storage."), Path(module.__file__ or "")
        tree = parse("" if file in made_of_tables else file.read_text())
        for name in sorted(set(passed_statements(tree, file.name))):
            yield Statement(f"{place}.{name}", getattr(module, name))


def personal_statements() -> Iterator[Statement]:
    """The statements generated from the tables' declarations of personal data."""
    for table, _ in personal_rows.list_exported():
        for goes_on in (False, True):
            yield Statement(f"page of {table.name}", personal_rows._page(table, goes_on))
    for table in personal_rows.list_erasing():
        for statement, _ in personal_rows._erasing(table):
            yield Statement(f"erasing of {table.name}", statement)
    for table in kept_json.list_walked():
        yield Statement(f"walk through {table.name}", kept_json._walk(table))


def passed_statements(tree: ast.Module, file: str) -> Iterator[str]:
    """The names of the statements in calls like `tx.all(Shape, STATEMENT, …)`."""
    places = {"one": 1, "all": 1, "scalar": 0, "scalars": 0, "run": 0, "run_many": 0}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in places
            and ast.unparse(node.func.value) in ("tx", "queries")
        ):
            given = node.args[places[node.func.attr]]
            where = f"{file}:{node.lineno}"
            assert isinstance(given, ast.Name), f"{where}: a statement has a name in its module"
            yield given.id


def statements_for(database: str) -> list[Statement]:
    """The statements that this database runs."""
    return [one for one in STATEMENTS if OF_ONE_DATABASE.get(one.name, database) == database]


STATEMENTS = [one for one in statements() if one.name not in SCANNED]
each_statement = pytest.mark.parametrize(
    "statement", [pytest.param(one.executable, id=one.name) for one in statements_for("sqlite")]
)


def as_sent(statement: Any, dialect: Dialect) -> tuple[str, list[Any]]:
    """The SQL, and values of the right types, as the driver gets them."""
    columns = list(statement.table.columns.keys()) if isinstance(statement, Insert) else None
    compiled = statement.compile(dialect=dialect, column_keys=columns)
    values = {name: sample_for(bind) for name, bind in compiled.binds.items()}
    expanded = compiled.construct_expanded_state(values)
    return expanded.statement, [expanded.parameters[name] for name in expanded.positiontup or ()]


def sample_for(bind: Any) -> Any:
    sample: Any = "x"
    if isinstance(bind.type, Boolean):
        sample = False
    elif isinstance(bind.type, Integer | NullType):  # a limit has no type
        sample = MANY
    return [sample] if bind.expanding else sample


# SQLite.


@pytest.fixture(scope="module")
def file(sqlite_template: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(f"file:{sqlite_template}?mode=ro", uri=True)
    yield connection
    connection.close()


def scans_of(file: sqlite3.Connection, statement: Executable) -> list[str]:
    """The steps of SQLite's plan that read a whole table."""
    sql, values = as_sent(statement, plans.DIALECT)
    steps = [step for *_, step in file.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    return [step for step in steps if step.startswith("SCAN ") and step.split()[1] in TABLES]


TABLES = {*metadata.tables, "said", "earlier"}
"""Names of tables in a plan: their names, or their aliases in statements."""


@each_statement
def test_sqlite_finds_the_rows_by_an_index(file, statement):
    assert scans_of(file, statement) == []


EXCUSED_ON_SQLITE = [
    name
    for name in SCANNED
    if name != "engine.clock._NOW" and OF_ONE_DATABASE.get(name) != "postgresql"
]


@pytest.mark.parametrize("name", EXCUSED_ON_SQLITE)
def test_every_statement_excused_from_indexes_does_scan(file, name):
    (excused,) = [one.executable for one in statements() if one.name == name]
    assert scans_of(file, excused)


def test_every_reference_to_deletable_rows_is_indexed():
    """Otherwise each deletion scans the whole referring table."""
    deleted = {one.executable.table for one in STATEMENTS if isinstance(one.executable, Delete)}
    assert deleted
    for table in metadata.sorted_tables:
        for key in table.foreign_keys:
            if key.column.table in deleted:
                assert key.parent.name in leading_columns(table), f"{table.name}.{key.parent.name}"


def leading_columns(table: Table) -> set[str]:
    """The first columns of the indexes of `table`."""
    indexes = [list(index.columns) for index in table.indexes]
    indexes += [list(constraint.columns) for constraint in table.constraints]
    return {columns[0].name for columns in indexes if columns}


# PostgreSQL.


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_postgresql_finds_the_rows_by_an_index(database):
    """With sequential scans disabled, a plan has one only if no index is usable."""
    found = {}
    async with database.connect() as connection:
        await fill_tables(connection)
        for way in ("seqscan", "hashjoin", "mergejoin"):
            await connection.exec_driver_sql(f"SET enable_{way} = off")
        for name, statement in statements_for("postgresql"):
            sql, values = as_sent(statement, asyncpg.dialect())
            answer = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {sql}", tuple(values))
            plan = answer.scalar_one()
            plan = json.loads(plan) if isinstance(plan, str) else plan
            if whole := [
                node["Node Type"] for node in nodes(plan[0]["Plan"]) if is_full_scan(node)
            ]:
                found[name] = whole
    assert found == {}


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_postgresql_searches_a_frequent_word_from_the_newest_message(database):
    """The plan uses the text index at most once, to count few matches, and never sorts them all."""
    sql, values = as_sent(chat_search._IN_POSTGRESQL, asyncpg.dialect())
    async with database.connect() as connection:
        await fill_tables(connection)
        answer = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {sql}", tuple(values))
    plan = answer.scalar_one()
    plan = json.loads(plan) if isinstance(plan, str) else plan
    indexes = [node.get("Index Name") for node in nodes(plan[0]["Plan"])]
    assert indexes.count("ix_messages_terms") <= 1
    assert "pk_messages" in indexes


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_postgresql_runs_every_statement(database):
    """Most tests that use the statements run only on SQLite."""
    async with database.connect() as connection:
        await connection.exec_driver_sql("SET session_replication_role = replica")  # no references
        for name, statement in statements():
            if OF_ONE_DATABASE.get(name, "postgresql") == "postgresql":
                await run(connection, name, statement)


async def run(connection: AsyncConnection, name: str, statement: Any) -> None:
    """Run a statement like `PostgresQueries`, and roll it back."""
    columns = statement.table.columns if isinstance(statement, Insert) else ()
    given = {column.name: value_for(column.type) for column in columns}
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(given) or None)
    required = {bind for bind in compiled.binds if compiled.binds[bind].required}
    values = given | {bind: argument_for(compiled.binds[bind]) for bind in required - {*given}}
    around = await connection.begin_nested()
    try:
        result = await connection.execute(statement, values)
        if result.returns_rows:
            result.all()
    except Exception as error:
        raise AssertionError(f"{name}: {error}") from error
    await around.rollback()


def argument_for(bind: Any) -> Any:
    value = value_for(bind.type)
    return [value] if bind.expanding else value


def value_for(kind: Any) -> Any:
    """A value as `storage` passes it, before a type converts it for the driver."""
    if isinstance(kind, Boolean):
        return False
    if isinstance(kind, Integer | NullType):
        return MANY + 1
    return NOW if isinstance(kind, Instant) else "x"


async def fill_tables(connection: AsyncConnection) -> None:
    """Fill every table with rows, because a planner does not use indexes on empty tables."""
    await connection.exec_driver_sql("SET session_replication_role = replica")  # no references
    number = func.generate_series(1, MANY).column_valued("number")
    for table in metadata.sorted_tables:
        row = select(*(made_up(column, number) for column in table.columns))
        await connection.execute(insert(table).from_select(list(table.columns), row))
    await connection.exec_driver_sql("ANALYZE")


def made_up(column: Column[Any], number: ColumnElement[int]) -> ColumnElement[Any]:
    """A different value in each row; of a boolean's two values, one is rare."""
    if isinstance(column.type, Boolean):
        return number % 100 == 0
    if isinstance(column.type, Integer):
        return number
    return func.right(cast(number, Text), column.type.length or 9)


PARTIAL_INDEXES = {
    index.name
    for table in metadata.sorted_tables
    for index in table.indexes
    if index.dialect_options["postgresql"]["where"] is not None
}
"""Indexes of open, unread or active rows, which may be cheapest to read completely."""


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def is_full_scan(node: dict[str, Any]) -> bool:
    """Whether this step of a plan reads a whole table, or a whole index over all its rows."""
    if node["Node Type"] == "Seq Scan":
        return True
    index = node.get("Index Name")
    return index is not None and index not in PARTIAL_INDEXES and "Index Cond" not in node


# Growth, counted in steps of SQLite's virtual machine, which are the same on every machine.


ME, OTHER, WIPED, HERE, BLOCK = "me", "other", "wiped", "here", "block"
FEW, MANY = 200, 2_000
Rows = Iterator[dict[str, Any]]


def name_of(number: int) -> str:
    return str(UUID(int=number))


def fill(queries: SqliteQueries, count: int) -> None:
    """Add `count` rows to every growing table, all of one user, one room, one conversation."""
    person = {"first_name": "", "last_name": "", "language": "en", "time_zone": "UTC"}
    person |= {"email_verified": True, "roles": [], "settings": {}}
    person |= {"created_at": NOW, "updated_at": NOW}
    names = [ME, OTHER, *(name_of(number) for number in range(count))]
    queries.run_many(insert(users), [{**person, "id": name, "email": name} for name in names])
    fill_chat(queries, count)
    fill_events(queries, count)
    fill_bookings(queries, count)


def fill_chat(queries: SqliteQueries, count: int) -> None:
    """Add messages in one conversation, and more conversations of other users."""
    for number, name in enumerate([HERE, *(name_of(number) for number in range(count))]):
        at = NOW + timedelta(seconds=number)
        row = chat.ConversationRow(name, "group", None, None, ME, at, None)
        chat.insert_conversation(queries, row)
        people = (ME, OTHER) if name == HERE else (OTHER, name)
        chat_members.insert_members(queries, name, dict.fromkeys(people, "member"), 1)
    chat_marks.keep_mark(queries, chat_marks.Mark(HERE, ME, "read", count - 20, 0, None))
    for number in range(1, count + 1):
        name = name_of(number)
        row = chat_messages.MessageRow(
            name, HERE, number, number, OTHER, name, "text", "a word", None, None, None, NOW, None,
            False, None, None, None,
        )  # fmt: skip
        chat_messages.insert_message(queries, row)
        gone = {"id": f"{name}~", "sender_id": WIPED, "client_id": None, "deleted": True}
        chat_messages.insert_message(queries, replace(row, conversation_id=name_of(1), **gone))
    chat_search.catch_up(queries)


def fill_events(queries: SqliteQueries, count: int) -> None:
    """Add events of one room, most with a waiting delivery, and a timer for each."""
    for number in range(1, count + 1):
        name, hearers = name_of(number), ("hears",) if number > 40 else ()
        record = events.Record(
            name, "SAID", 1, NOW, "{}", None, False, name, name, (HERE,), hearers, (),
            None, None, None,
        )  # fmt: skip
        events.insert_events(queries, [record], {})
        timers.set_timer(queries, name, FOR_EVER, "DUE", "{}")


def fill_bookings(queries: SqliteQueries, count: int) -> None:
    """Add bookings, notifications and past blocks of one user, who also has future blocks."""
    consultant = {column.name: "" for column in CONSULTANTS.columns} | {
        "id": ME, "languages": [], "age": None, "available_now": False, "onboarded_at": NOW
    }  # fmt: skip
    queries.run(insert(CONSULTANTS), **consultant)
    for number in range(count):
        name, hour = name_of(number), NOW - timedelta(hours=count - number)
        end = hour + timedelta(hours=1)
        row = availability.BlockRow(name, ME, hour, end, 1, False, 1, 0)
        availability.insert_blocks(queries, [row])
        row = booking.BookingRow(
            name, OTHER, ME, "", "", name, hour, end, "completed", "", None, 1, "EUR", 10, None, 1,
            NOW, False, None, 0, None, None,
        )  # fmt: skip
        booking.insert_booking(queries, row)
        told = notifications.NotificationRow(name, ME, "", "", "", "", {}, NOW, NOW, "none", None)
        notifications.insert_notification(queries, told)


CONSULTANTS = metadata.tables["consultants"]

READS: dict[str, Callable[[SqliteQueries, int], Any]] = {
    "the newest page of history": lambda q, n: chat_messages.list_messages(q, HERE, ME, 1, n, 20),
    "an old page of history": lambda q, n: chat_messages.list_messages(q, HERE, ME, 1, 50, 20),
    "a message by its client id": lambda q, n: chat_messages.find_sent(q, HERE, OTHER, name_of(n)),
    "the list of conversations": lambda q, n: chat.list_conversations(
        q, ME, False, FOR_EVER, "~", 20
    ),
    "search in a user's conversations": lambda q, n: chat_search.list_matches(
        q, ME, ["word"], [HERE], None, 20
    ),
    "whether messages must be indexed": lambda q, n: chat_search.is_behind(q),
    "a user's messages that are not wiped yet": lambda q, n: chat_messages.list_messages_by(
        q, WIPED, [name_of(1)], 20
    ),
    "readers of a message": lambda q, n: chat_marks.list_reached(q, HERE, 1),
    "unread messages": lambda q, n: chat.count_unread(q, ME, [HERE], 1_000),
    "the newest message of others": lambda q, n: chat.find_newest_from_others(q, ME, HERE),
    "whether a group is large": lambda q, n: chat_members.has_more_than(q, HERE, 5),
    "what counts in a replay": lambda q, n: has_more_than(q, HERE, 0, n, 100, ["SEEN"]),
    "the last messages": lambda q, n: chat.list_last_messages(q, ME, [HERE]),
    "the newest numbers": lambda q, n: chat.list_newest_seqs(q, [HERE]),
    "the rooms of a user": lambda q, n: chat.list_memberships(q, ME, 1_000),
    "replay": lambda q, n: events.list_since(q, HERE, n - 20, n, 1_000),
    "the head of a room": lambda q, n: events.list_heads(q, [HERE]),
    "heads that changed": lambda q, n: events.list_moved_heads(q, NOW + timedelta(1), "", 1_000),
    "old events": lambda q, n: events.forget_events(q, id_at(NOW), 20),
    "the next delivery": lambda q, n: deliveries.find_lowest(
        q, deliveries.Queue("hears", name_of(n))
    ),
    "due deliveries": lambda q, n: deliveries.list_due(q, NOW, 20, ["hears"]),
    "due timers": lambda q, n: timers.list_due_timers(q, NOW, 20),
    "the next timer": lambda q, n: timers.find_next_timer(q, NOW),
    "a consultant's bookings": lambda q, n: booking.list_bookings(q, ME, None, "~", 20),
    "a student's coming bookings": lambda q, n: booking.list_by_hour(
        q, OTHER, "coming", NOW, (NOW, ""), 20
    ),
    "a consultant's past bookings": lambda q, n: booking.list_by_hour(
        q, ME, "past", NOW, (NOW, "~"), 20
    ),
    "a student's bookings": lambda q, n: booking.list_bookings(q, OTHER, None, "~", 20),
    "future blocks": lambda q, n: availability.list_blocks(
        q, ME, NOW - timedelta(hours=5), FOR_EVER, 20
    ),
    "blocks of long ago": lambda q, n: availability.list_blocks(
        q, ME, NOW - timedelta(hours=n), NOW - timedelta(hours=n - 5), 20
    ),
    "notifications": lambda q, n: notifications.list_notifications(q, ME, "~", 20),
    "unread notifications": lambda q, n: notifications.count_unread(q, ME),
}


@pytest.fixture(scope="module")
def grown(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Any]:
    """Connections to a small and a large database, by size."""
    connections = {}
    for count in (FEW, MANY):
        file = tmp_path_factory.mktemp("grown") / "parley.db"
        file.write_bytes(sqlite_template.read_bytes())
        connection = connections[count] = SqliteDatabase(str(file))._connect()
        connection.execute("BEGIN")
        fill(SqliteQueries(connection), count)
        connection.execute("COMMIT")
    yield connections
    for connection in connections.values():
        connection.close()


def steps_of(connection: sqlite3.Connection, read: Callable[[], Any]) -> int:
    """The number of instructions that SQLite executes."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection.execute("BEGIN")
    connection.set_progress_handler(count, 1)
    try:
        read()
    finally:
        connection.set_progress_handler(None, 0)
        connection.execute("ROLLBACK")
    return steps


@pytest.mark.parametrize("read", [pytest.param(read, id=name) for name, read in READS.items()])
def test_a_read_costs_no_more_in_a_database_ten_times_as_large(grown, read):
    few, many = (
        steps_of(grown[count], lambda n=count: read(SqliteQueries(grown[n]), n))
        for count in (FEW, MANY)
    )
    assert many < few * 1.5
