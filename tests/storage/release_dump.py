"""Writes sample databases of a release: `python -m tests.storage.release_dump 0.1.0`.

Run it once for each release. It writes `tests/storage/releases/<release>.<database>.sql` with the
schema at the newest revision and two sample rows in every table. The second row has NULL wherever
it is allowed, and texts that are hard to quote.
"""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Boolean, Column, Connection, Integer, Text, create_engine, event
from sqlalchemy.ext.asyncio import create_async_engine

import storage.engine.schema  # noqa: F401 - so that every table is known
from storage.engine.columns import Instant, Json, metadata
from storage.engine.migrate import known_revisions, upgrade
from tests.parts.postgres import running_cluster

RELEASES = Path(__file__).parent / "releases"
Value = str | int | bool | None
ROWS = (1, 2)
SECOND_TEXT = """It's "quoted": 50% of it, \\ and ü;
-- a second line"""
USERS = {"user_id", "student_id", "consultant_id", "sender_id", "actor_id", "created_by"}
FILES = {"picture_id", "icon_id"}
"""Columns with ids of uploads, even if they are not foreign keys."""
MEANT: dict[str, tuple[Value, Value]] = {
    "backfills.state": ("running", "done"),
    "bookings.rate_currency": ("EUR", "USD"),
    "bookings.status": ("approved", "requested"),
    "calls.status": ("active", "ended"),
    "consultants.country": ("PT", "DE"),
    "consultants.languages": ('["pt","en"]', "[]"),
    "consultants.status": ("active", "stopped"),
    "conversation_members.role": ("owner", "member"),
    "conversations.kind": ("direct", "group"),
    "deliveries.consumer": (
        "platform.notifications.tell_people",
        "consulting.booking.expire_the_request",
    ),
    "dispatches.channel": ("email", "email"),
    "dispatches.kind": ("notice", "pincode"),
    "dispatches.status": ("waiting", "sent"),
    "events.data": ('{"user_id":"one"}', "{}"),
    "events.name": ("platform.USER_CREATED", "consulting.BOOKING_APPROVED"),
    "events.order_key": ("user:one", "booking:two"),
    "exports.status": ("preparing", "ready"),
    "holds.kind": ("booking", "hold"),
    "idempotency_keys.answer": ('{"id":"one"}', None),
    "idempotency_keys.command": ("/booking request", "/chat send"),
    "idempotency_keys.steps": ('{"paid":true}', None),
    "identities.issuer": ("https://accounts.example", "https://id.example"),
    "link_pages.page": ('{"title":"A page","url":"https://example.org/"}', None),
    "mark_steps.kind": ("delivered", "read"),
    "marks.kind": ("delivered", "read"),
    "message_reactions.emoji": ("👍", "🎉"),
    "messages.card_data": ('{"name":"Moving house"}', None),
    "messages.card_kind": ("booking", None),
    "messages.kind": ("text", "media"),
    "messages.mentions": ('["one"]', None),
    "moderation_audit.act": ("hide", "undo"),
    "moderation_cases.reasons": ('["spam"]', "[]"),
    "moderation_cases.status": ("open", "dismissed"),
    "moderation_flags.reason": ("spam", "other"),
    "notifications.mail_status": ("none", "sent"),
    "overrides.hours": ('[{"weekday":4,"hour":16,"max_calls":1}]', "[]"),
    "overrides.week": ("2026-W48", "2026-W49"),
    "paused_consultants.status": ("pending", "active"),
    "presences.status": ("active", "away"),
    "push_devices.platform": ("ios", "android"),
    "schedules.hours": ('[{"weekday":0,"hour":9,"max_calls":3}]', "[]"),
    "sessions.address": ("192.0.2.1", ""),
    "throttles.key": ("sign_in:one", "sign_in:two"),
    "timers.data": ('{"session_id":"one"}', "{}"),
    "timers.name": ("platform.SESSION_DUE", "consulting.CALL_DUE"),
    "topics.rate_currency": ("EUR", "USD"),
    "uploads.kind": ("image", "file"),
    "uploads.status": ("ready", "waiting"),
    "users.language": ("en", "de"),
    "users.roles": ('["student","consultant"]', "[]"),
    "users.settings": ('{"read_receipts":false}', "{}"),
}
"""The values of a column in both rows, if generated ones would be unrealistic."""


def rows() -> Iterator[tuple[str, dict[str, Value]]]:
    """The rows of the declared tables, in an order that respects references."""
    for table in metadata.sorted_tables:
        for number in ROWS:
            yield table.name, {one.name: value_of(one, number) for one in table.columns}


def value_of(column: Column[object], number: int) -> Value:
    """The value of a column in row `number` of its table."""
    if meant := MEANT.get(str(column)):
        return meant[number - 1]
    if number == 2 and column.nullable:
        return None
    for key in column.foreign_keys:
        return value_of(key.column, number)
    known = metadata.tables.get(table_named_by(column.name))
    if known is not None and "id" in known.c and column is not known.c.id:
        return value_of(known.c.id, number)
    return invented(column, number)


def table_named_by(column: str) -> str:
    """The table that a column refers to by its name, such as `bookings` for `booking_id`."""
    if column in FILES:
        return "uploads"
    return "users" if column in USERS else f"{column.removesuffix('_id')}s"


def invented(column: Column[object], number: int) -> Value:
    kind = column.type
    if isinstance(kind, Instant):
        return f"2026-11-2{number}T09:30:00.00000{number}Z"
    if isinstance(kind, Json):
        return "{}"
    if isinstance(kind, Boolean):
        return number == 1
    if isinstance(kind, Integer):
        return number
    if isinstance(kind, Text):
        return f"the {column.name}" if number == 1 else SECOND_TEXT
    length = getattr(kind, "length", 0)
    return made_id(column, number) if length == 36 else f"{number} {column.name}"[:length]


def made_id(column: Column[object], number: int) -> str:
    """An id that is unique to this column."""
    columns = [str(one) for table in metadata.sorted_tables for one in table.columns]
    return f"00000000-0000-7000-8000-{columns.index(str(column)):08}{number:04}"


def search_rows() -> Iterator[tuple[str, dict[str, Value]]]:
    """Rows of SQLite's full-text index, with the first message indexed and the second waiting."""
    columns = metadata.tables["messages"].c
    text = value_of(columns.text, 1)
    conversation, message = value_of(columns.conversation_id, 1), value_of(columns.id, 1)
    words = [str(one).replace("-", "") for one in (conversation, message)]
    indexed = {"text": f"{text} Moving house", "conversation": words[0], "message": words[1]}
    yield "message_search", dict(indexed)
    yield "message_search_noted", {"number": 1, "message_id": value_of(columns.id, 2)}


def insert(table: str, row: dict[str, Value]) -> str:
    columns = ", ".join(f'"{name}"' for name in row)
    return f"INSERT INTO {table} ({columns})\nVALUES ({', '.join(map(literal, row.values()))});\n"


def literal(value: Value) -> str:
    """A value as an SQL literal that both databases accept."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return str(value) if isinstance(value, int) else "'{}'".format(value.replace("'", "''"))


def statements_of_upgrade(connection: Connection) -> list[str]:
    """The statements that create the newest schema in an empty database."""
    ran: list[str] = []

    def note(_raw: object, _cursor: object, statement: str, *_more: object) -> None:
        lines = [line.expandtabs(4).rstrip() for line in statement.strip().splitlines()]
        if lines[0].startswith(("CREATE", "ALTER", "DROP")):
            ran.append("\n".join(lines) + ";\n")

    event.listen(connection, "before_cursor_execute", note)
    upgrade(connection)
    return ran


def dump(connection: Connection) -> str:
    """The text of the SQL file, for the kind of database of `connection`, which is empty."""
    made = statements_of_upgrade(connection)
    # The rows already include the effects of triggers.
    triggers = [one for one in made if one.startswith("CREATE TRIGGER")]
    head = [insert("alembic_version", {"version_num": max(known_revisions())})]
    search = search_rows() if connection.dialect.name == "sqlite" else ()
    filled = [insert(table, row) for table, row in (*rows(), *search)]
    return "\n".join([*(one for one in made if one not in triggers), *head, *filled, *triggers])


def dump_sqlite() -> str:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        text = dump(connection)
    engine.dispose()
    return text


async def dump_postgresql() -> str:
    with running_cluster() as cluster:
        engine = create_async_engine(cluster.create("release"))
        async with engine.begin() as connection:
            text = await connection.run_sync(dump)
        await engine.dispose()
    return text


def main(release: str) -> None:
    RELEASES.mkdir(exist_ok=True)
    (RELEASES / f"{release}.sqlite.sql").write_text(dump_sqlite())
    (RELEASES / f"{release}.postgresql.sql").write_text(asyncio.run(dump_postgresql()))


if __name__ == "__main__":
    main(sys.argv[1])
