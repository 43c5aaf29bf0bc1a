"""Databases of every release can be upgraded to the newest schema without losing rows."""

import re
import shutil
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from storage.engine import migrate
from storage.engine.migrate import UnknownSchema, known_revisions
from tests.server.backup.folders import run
from tests.storage.release_dump import RELEASES
from tests.storage.schemas import Rows, migrate_url, on, rows_of, run_script, schema_of
from tests.world import ROOT

VERSIONS = migrate.MIGRATIONS / "versions"
RELEASED = {
    "0.1.0": "2026_11_29_parley_0_1_0",
}
"""The newest revision of each release."""
SUMS = RELEASES / "SHA256SUMS"
"""Checksums of files that must not change, because databases of the release exist."""
FROZEN = dict(reversed(line.split()) for line in SUMS.read_text().splitlines())
ALL_RELEASES = pytest.mark.parametrize("release", RELEASED)
Empty = Callable[[str], str]


@pytest.fixture
def empty(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Empty:
    """`empty(name)` returns the URL of a database without tables."""
    if database_kind == "sqlite":
        return lambda name: f"sqlite:///{tmp_path}/{name}.db"
    make: Empty = request.getfixturevalue("make_database")
    return make


async def released(url: str, release: str) -> str:
    """Fill an empty database like the release; returns its URL."""
    kind = "postgresql" if url.startswith("postgresql") else "sqlite"
    await run_script(url, (RELEASES / f"{release}.{kind}.sql").read_text())
    return url


async def upgrade_errors(empty: Empty, release: str) -> list[str]:
    """The errors of an upgrade of a filled database of the release."""
    url, fresh = await released(empty("old"), release), empty("fresh")
    rows = await on(url, rows_of)
    await migrate_url(url)
    await migrate_url(fresh)
    upgraded, expected = await on(url, schema_of), await on(fresh, schema_of)
    parts = {name for name, _ in upgraded.items() ^ expected.items()}
    return [*sorted(parts), *changed(rows, await on(url, rows_of))]


REPLACED = {"booked_quarters": "busy_quarters"}
"""Tables that a later revision replaced on purpose, with the tables that have their rows."""
REBUILT = {"message_search", "message_search_noted"}
REBUILT_COLUMNS = {"terms"}
"""Tables and columns of an index that a later revision emptied, so that the server rebuilds it."""


def changed(before: Rows, after: Rows) -> list[str]:
    """The tables whose rows changed, ignoring added columns and replaced tables."""
    return [
        f"rows of {table}"
        for table, rows in before.items()
        if table not in REPLACED
        and table not in REBUILT
        and _kept(rows, rows[0]) != _kept(after.get(table, []), rows[0])
    ]


def _kept(rows: list[dict[str, Any]], columns: Iterable[str]) -> list[dict[str, Any]]:
    """The rows with those of the columns that no revision emptied."""
    kept = [name for name in columns if name not in REBUILT_COLUMNS]
    return [{name: row.get(name) for name in kept} for row in rows]


@ALL_RELEASES
async def test_a_filled_database_of_a_release_is_upgraded_to_the_newest_schema(empty, release):
    assert await upgrade_errors(empty, release) == []


async def test_taken_quarters_of_students_stay_taken(empty):
    url = await released(empty("old"), "0.1.0")
    before = (await on(url, rows_of))["booked_quarters"]
    await migrate_url(url)
    after = await on(url, rows_of)
    assert "booked_quarters" not in after
    taken = {(row["user_id"], row["quarter"], row["holder_id"]) for row in after["busy_quarters"]}
    assert taken >= {(row["student_id"], row["quarter"], row["booking_id"]) for row in before}
    requests = {row["booking_id"] for row in after["booking_steps"] if row["version"] == 1}
    assert requests == {row["id"] for row in after["bookings"]}


@ALL_RELEASES
async def test_all_messages_wait_for_the_new_search_index(empty, release):
    url = await released(empty("old"), release)
    await migrate_url(url)
    rows = await on(url, rows_of)
    searched = [row for row in rows["messages"] if row["kind"] in ("text", "media")]
    if "message_search" in rows:
        noted = sorted(rows["message_search_noted"], key=lambda row: row["number"])
        assert [row["message_id"] for row in noted] == sorted(row["id"] for row in searched)
        assert rows["message_search"] == []
    else:
        assert [row["terms"] for row in searched] == [None] * len(searched)


REACTIONS = """
INSERT INTO message_reactions (message_id, user_id, emoji, at)
SELECT message_id, id, '\u2764', at FROM message_reactions, users WHERE emoji LIKE '%';
INSERT INTO message_reactions (message_id, user_id, emoji, at)
SELECT message_id, user_id, '\u2764\ufe0f', min(at) FROM message_reactions
WHERE emoji = '\u2764' GROUP BY message_id, user_id LIMIT 1;
"""


async def test_a_heart_with_and_without_a_selector_becomes_one_reaction(empty):
    url = await released(empty("old"), "0.1.0")
    await run_script(url, REACTIONS)
    hearts = await on(url, hearts_of)
    await migrate_url(url)
    assert await on(url, hearts_of) == {(who, "\u2764\ufe0f") for who, _ in hearts}


def hearts_of(connection: Connection) -> set[tuple[str, str]]:
    rows = rows_of(connection)["message_reactions"]
    return {
        (f"{row['message_id']} {row['user_id']}", row["emoji"])
        for row in rows
        if row["emoji"].startswith("\u2764")
    }


MENTIONS = """
UPDATE notifications SET kind = 'mentioned', data = '{"message_id":"m1","sender_id":"s"}'
WHERE id = (SELECT min(id) FROM notifications);
"""


async def test_notifications_of_mentions_depend_on_their_message(empty):
    url = await released(empty("old"), "0.1.0")
    await run_script(url, MENTIONS)
    await migrate_url(url)
    rows = (await on(url, rows_of))["notifications"]
    assert {row["subject"] for row in rows if row["kind"] == "mentioned"} >= {"message:m1"}
    assert {row["subject"] for row in rows if row["kind"] != "mentioned"} <= {None}


@ALL_RELEASES
async def test_the_database_of_a_release_has_rows_in_every_table(empty, release):
    url = await released(empty("old"), release)
    rows = await on(url, rows_of)
    assert len(rows) >= 62
    assert [table for table, found in rows.items() if not found] == []
    assert await on(url, schema_of) != {}


def test_every_release_has_its_files_and_they_are_frozen():
    kinds = ("sqlite", "postgresql")
    dumps = {RELEASES / f"{release}.{kind}.sql" for release in RELEASED for kind in kinds}
    assert {*RELEASES.iterdir()} == {*dumps, SUMS}
    made = {*dumps, *(VERSIONS / f"{revision}.py" for revision in RELEASED.values())}
    assert {file.relative_to(ROOT).as_posix() for file in made} <= set(FROZEN)


@pytest.mark.parametrize("path", FROZEN)
def test_released_files_never_change(path: str):
    assert sha256((ROOT / path).read_bytes()).hexdigest() == FROZEN[path], "add a revision instead"


# The tests above detect a wrong revision, as these invented revisions show.

ADD = 'op.add_column("topics", sa.Column("level", sa.Integer(), server_default="3"))'
INDEX = 'op.create_index("ix_topics_level", "topics", ["level"])'


@pytest.fixture
def revise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`revise(*statements)` adds a revision that runs them."""
    folder = tmp_path / "migrations"

    def revise(*statements: str) -> None:
        shutil.copytree(migrate.MIGRATIONS, folder)
        newest = max(known_revisions())
        text = (VERSIONS / f"{RELEASED['0.1.0']}.py").read_text()
        head = text[: text.index("\nrevision =")]
        names = f'revision = "2999_01_01_later"\ndown_revision = "{newest}"\n'
        body = "".join(f"    {one}\n" for one in statements)
        later = f"{head}\n{names}\n\ndef upgrade() -> None:\n{body}"
        (folder / "versions" / "2999_01_01_later.py").write_text(later)
        monkeypatch.setattr(migrate, "MIGRATIONS", folder)

    return revise


def levels(connection: Connection) -> list[int]:
    return [row["level"] for row in rows_of(connection)["topics"]]


async def test_a_later_revision_is_run_on_a_filled_database(empty, revise):
    revise(ADD, INDEX)
    assert await upgrade_errors(empty, "0.1.0") == []
    url = await released(empty("again"), "0.1.0")
    await migrate_url(url)
    assert await on(url, levels) == [3, 3]


IF_FILLED = 'if op.get_bind().exec_driver_sql("SELECT count(*) FROM topics").scalar():'
WRONG = {
    "a row is deleted": (
        """op.execute("DELETE FROM throttles WHERE key = 'sign_in:one'")""",
        ["rows of throttles"],
    ),
    "a value is changed": (
        """op.execute("UPDATE users SET settings = '{}'")""",
        ["rows of users"],
    ),
    "a column is dropped": (
        'op.drop_column("topics", "description")',
        ["rows of topics"],
    ),
    "an index is created only if the table has rows": (
        f'{IF_FILLED} op.create_index("ix_topics_active", "topics", ["active"])',
        ["index ix_topics_active"],
    ),
}


@pytest.mark.parametrize(("statement", "found"), WRONG.values(), ids=WRONG)
async def test_a_wrong_revision_is_caught(empty, revise, statement, found):
    revise(statement)
    assert await upgrade_errors(empty, "0.1.0") == found


async def test_a_revision_that_fails_on_rows_changes_nothing(empty, revise):
    revise(ADD, "op.execute(\"UPDATE users SET id = 'same'\")")
    url = await released(empty("old"), "0.1.0")
    rows, schema = await on(url, rows_of), await on(url, schema_of)
    with pytest.raises(DBAPIError):
        await migrate_url(url)
    assert (await on(url, rows_of), await on(url, schema_of)) == (rows, schema)


# Databases with an unknown revision.

REFUSED = {
    "0017": "from before release 0.1.0 and cannot be upgraded: start with an empty database",
    "2999_01_01_later": "from a newer version: run that version",
}


def set_revision(revision: str) -> Callable[[Connection], object]:
    return lambda connection: connection.exec_driver_sql(
        f"UPDATE alembic_version SET version_num = '{revision}'"  # noqa: S608 - of this module
    )


@pytest.mark.parametrize(("revision", "why"), REFUSED.items(), ids=REFUSED)
async def test_a_database_of_an_unknown_revision_is_refused(empty, revision, why):
    url = await released(empty("other"), "0.1.0")
    await on(url, set_revision(revision))
    rows = await on(url, rows_of)
    with pytest.raises(UnknownSchema, match=re.escape(f"schema {revision} is {why}")):
        await migrate_url(url)
    assert await on(url, rows_of) == rows


@pytest.mark.parametrize("command", [(), ("parked",), ("demo",)], ids=["serve", "parked", "demo"])
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_the_command_line_reports_an_unknown_revision_in_one_line(empty, tmp_path, command):
    url = await released(empty("parley"), "0.1.0")
    await on(url, set_revision("0017"))
    code, _, errors = await run({"PARLEY_DATA_DIR": str(tmp_path)}, *command)
    reported = [line for line in errors.splitlines() if line.startswith("parley:")]
    assert (code, "Traceback" in errors) == (1, False)
    assert reported == [f"parley: cannot start: the database's schema 0017 is {REFUSED['0017']}"]
