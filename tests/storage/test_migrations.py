"""The migrations make exactly the tables that are declared, on both databases."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, column, create_engine, insert, select, text
from sqlalchemy import table as sql_table

import storage.engine.schema  # noqa: F401 - so that every table is known
from storage.engine.columns import metadata
from storage.engine.database import open_database
from storage.engine.migrate import is_declared, migrate, upgrade
from storage.engine.postgres import PostgresDatabase

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


GROUP_MEMBERS = 5_000


def make_conversations(connection: Connection) -> None:
    """Conversations of the fifth version: a maker is in, went, came back; two; and very many."""
    upgrade(connection, "0005")
    people = [f"{number:04}" for number in range(GROUP_MEMBERS)]
    users = [{**A_USER, "id": one, "email": one} for one in people]
    names = ("kept", "left", "back", "empty", "two", "large")
    made = [
        {
            "id": name,
            "kind": "direct" if name == "two" else "group",
            "created_by": "0000",
            "opened_at": SIGNED_IN,
        }
        for name in names
    ]
    seats = [
        *(("kept", "0000", 1, None), ("kept", "0001", 1, None)),
        *(("left", "0000", 1, 5), ("left", "0001", 4, None), ("left", "0002", 3, None)),
        *(("back", "0000", 1, 5), ("back", "0000", 8, None), ("back", "0001", 1, None)),
        *(("empty", "0000", 1, 5), ("two", "0000", 1, None), ("two", "0001", 1, None)),
        *(("large", one, 1, None) for one in people[1:]),
    ]
    fields = ("conversation_id", "user_id", "from_seq", "to_seq")
    add(connection, "users", users)
    add(connection, "conversations", made)
    add(
        connection, "conversation_members", [dict(zip(fields, seat, strict=True)) for seat in seats]
    )


def add(connection: Connection, name: str, rows: list[dict[str, Any]]) -> None:
    connection.execute(insert(sql_table(name, *map(column, rows[0]))), rows)


def the_owners(connection: Connection) -> list[tuple[Any, ...]]:
    found = connection.execute(
        text(
            """SELECT conversation_id, user_id, from_seq FROM conversation_members
            WHERE role = 'owner' ORDER BY 1"""
        )
    )
    return [tuple(row) for row in found]


async def test_groups_get_the_owner_that_they_would_have_however_large_they_are(empty_url):
    await on(empty_url, make_conversations)
    async with asyncio.timeout(10):  # a server that starts waits for it
        assert await differences_of(empty_url) == []
    assert await on(empty_url, the_owners) == [
        ("back", "0000", 8),
        ("kept", "0000", 1),
        ("large", "0001", 1),
        ("left", "0002", 3),
    ]


A_CONSULTANT = {
    "id": "ana",
    "first_name": "Ana",
    "last_name": "Example",
    "about_me": "I listen.",
    "languages": '["en"]',
    "country": "DE",
    "time_zone": "UTC",
    "profile_picture_url": "https://elsewhere.example/ana.png",
    "status": "active",
    "available_now": False,
    "onboarded_at": SIGNED_IN,
}
A_TOPIC = {
    "id": "taxes",
    "consultant_id": "ana",
    "name": "Taxes",
    "description": "All of them",
    "rate_amount": 6000,
    "rate_currency": "EUR",
    "minimal_duration_minutes": 15,
    "icon_url": "https://elsewhere.example/taxes.png",
    "active": True,
}


def make_pictures_elsewhere(connection: Connection) -> None:
    """A consultant with a topic, both shown with a picture by its address."""
    upgrade(connection, "0011")
    for table, row in (("users", A_USER), ("consultants", A_CONSULTANT), ("topics", A_TOPIC)):
        add(connection, table, [row])


def the_pictures(connection: Connection) -> tuple[Any, ...]:
    joined = """SELECT about_me, picture_id, name, icon_id FROM consultants
        JOIN topics ON consultant_id = consultants.id"""
    return tuple(connection.execute(text(joined)).one())


async def test_pictures_at_other_addresses_go_and_what_they_showed_stays(empty_url):
    await on(empty_url, make_pictures_elsewhere)
    assert await differences_of(empty_url) == []
    assert await on(empty_url, the_pictures) == ("I listen.", None, "Taxes", None)


def plan_deletions_as_before(connection: Connection) -> None:
    """Two consultants who were paused as their deletions were planned; one is erased by now."""
    upgrade(connection, "0013")
    for name, status, erased_at in (("ana", "pending", None), ("ben", "active", SEEN)):
        add(connection, "users", [{**A_USER, "id": name, "email": f"{name}@example.org"}])
        shown = {**A_CONSULTANT, "id": name, "status": "stopped"}
        del shown["profile_picture_url"]
        add(connection, "consultants", [shown])
        planned = {"user_id": name, "asked_at": SIGNED_IN, "due_at": SEEN}
        planned |= {"consulted_as": status, "erased_at": erased_at}
        add(connection, "account_deletions", [planned])


def the_paused(connection: Connection) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(text("SELECT * FROM paused_consultants"))]


async def test_consultants_whose_deletion_is_planned_stay_paused(empty_url):
    await on(empty_url, plan_deletions_as_before)
    assert await differences_of(empty_url) == []
    assert await on(empty_url, the_paused) == [("ana", "pending")]


A_CONSUMER = {"name": "listener.hear_it", "known_since": SIGNED_IN}
A_DELIVERY = {
    "consumer": "listener.hear_it",
    "order_key": "probe:one",
    "number": 7,
    "event_id": "an event",
    "attempts": 2,
    "ready_at": SEEN,
    "parked": True,
    "error": "Late",
}


def make_a_queue(connection: Connection) -> None:
    """A delivery that waits for a consumer."""
    upgrade(connection, "0013")
    add(connection, "consumers", [A_CONSUMER])
    add(connection, "deliveries", [A_DELIVERY])


def the_queue(connection: Connection) -> tuple[dict[str, Any], str]:
    delivery = connection.execute(text("SELECT * FROM deliveries")).mappings().one()
    served_at = connection.execute(text("SELECT served_at FROM consumers")).scalar_one()
    return {**delivery, "parked": bool(delivery["parked"])}, served_at


async def test_what_waits_for_a_consumer_is_kept_and_its_time_begins_at_the_upgrade(empty_url):
    await on(empty_url, make_a_queue)
    assert await differences_of(empty_url) == []
    delivery, served_at = await on(empty_url, the_queue)
    assert delivery == A_DELIVERY
    assert served_at > SEEN


def store_an_event_as_before(connection: Connection) -> None:
    """An event and a timer under names that say nothing of their systems."""
    upgrade(connection, "0016")
    stored = {"id": "e", "version": 1, "at": SEEN, "data": "{}", "sealed": False, "order_key": "k"}
    add(connection, "events", [{**stored, "name": "BOOKING_APPROVED"}])
    add(connection, "timers", [{"key": "t", "due_at": SEEN, "name": "DISPATCH_DUE", "data": "{}"}])


def the_names(connection: Connection) -> list[str]:
    tables = ("events", "timers")
    return [
        connection.execute(select(column("name")).select_from(sql_table(one))).scalar_one()
        for one in tables
    ]


async def test_what_is_stored_gets_the_name_of_its_system(empty_url):
    await on(empty_url, store_an_event_as_before)
    assert await differences_of(empty_url) == []
    assert await on(empty_url, the_names) == [
        "consulting.BOOKING_APPROVED",
        "platform.DISPATCH_DUE",
    ]
