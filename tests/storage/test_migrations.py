"""The migrations create exactly the declared tables, on both databases."""

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Column, Connection, ForeignKey, String, Table

import storage.engine.schema  # noqa: F401 - so that every table is known
from storage.engine import migrate
from storage.engine.columns import Instant, Json, metadata
from storage.engine.database import open_database
from storage.engine.migrate import draft_revision, is_declared, known_revisions
from tests.storage.schemas import declarable, migrate_url, on

DATED = re.compile(r"(\d{4})_(\d\d)_(\d\d)_[a-z0-9_]+")
REVISION_CHARACTERS_MAX = 32
"""The limit of Alembic's own table."""


@pytest.fixture
def empty_url(database_kind, tmp_path, request) -> str:
    """A database without tables."""
    if database_kind == "sqlite":
        return f"sqlite:///{tmp_path}/deep/empty.db"
    make = request.getfixturevalue("make_database")
    return make("empty")


def differences(connection: Connection) -> list[str]:
    opts = {"compare_type": True, "render_as_batch": True, "include_name": is_declared}
    context = MigrationContext.configure(connection, opts=opts)
    return [str(one) for one in compare_metadata(context, metadata)]


async def differences_of(url: str) -> list[str]:
    await migrate_url(url)
    return await on(url, differences)


async def test_the_migrations_make_the_tables_that_are_declared(empty_url):
    assert await differences_of(empty_url) == []


@pytest.fixture
def declared_url(database_kind, tmp_path, request) -> str:
    """A second database without tables."""
    if database_kind == "sqlite":
        return f"sqlite:///{tmp_path}/declared.db"
    return request.getfixturevalue("make_database")("declared")


async def test_keys_checks_and_defaults_are_those_that_are_declared(empty_url, declared_url):
    """Alembic's comparison ignores these."""
    await migrate_url(empty_url)
    await on(declared_url, metadata.create_all)
    migrated = await on(empty_url, declarable)
    assert migrated == await on(declared_url, declarable)
    assert len(migrated) > 500


async def test_migrating_again_changes_nothing(empty_url):
    await differences_of(empty_url)
    assert await differences_of(empty_url) == []


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_instances_that_start_together_migrate_one_at_a_time(empty_url):
    databases = [open_database(empty_url) for _ in range(4)]
    async with asyncio.timeout(20):
        await asyncio.gather(*(migrate.migrate(database) for database in databases))
    for database in databases:
        await database.stop()


MIGRATE = "import sys; from storage.engine.migrate import migrate_file; migrate_file(sys.argv[1])"


def test_processes_that_open_a_file_together_migrate_one_at_a_time(tmp_path):
    command = [sys.executable, "-c", MIGRATE, str(tmp_path / "parley.db")]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
    assert [one.communicate()[1].decode() for one in started] == [""] * 3
    assert [one.returncode for one in started] == [0] * 3


def test_a_draft_that_would_not_be_the_newest_revision_is_refused():
    newest = max(known_revisions())
    with pytest.raises(ValueError, match=newest):
        draft_revision("again", date(2026, 1, 1))
    assert max(known_revisions()) == newest


# The revisions themselves. `tests/test_architecture.py` checks their text.


def revisions() -> list[Script]:
    """All revisions, newest first."""
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    return list(ScriptDirectory.from_config(config).walk_revisions())


def test_the_revisions_form_one_chain_with_one_head():
    found = revisions()
    assert [one.revision for one in found if one.is_head] == [found[0].revision]
    followed = [older.revision for older in found[1:]]
    assert [one.down_revision for one in found] == [*followed, None]
    files = (migrate.MIGRATIONS / "versions").glob("*.py")
    assert {one.revision for one in found} == {file.stem for file in files}


def test_the_revisions_are_named_by_date_in_chronological_order():
    days = []
    names = [one.revision for one in reversed(revisions())]
    assert names == sorted(names), "the newest revision must be the last one by name"
    for one in reversed(revisions()):
        match = DATED.fullmatch(one.revision)
        assert match, f"{one.revision} is not named by date"
        assert len(one.revision) <= REVISION_CHARACTERS_MAX
        days.append(date(*map(int, match.groups())))
    assert days == sorted(days)


@pytest.fixture
def drafts(tmp_path, monkeypatch) -> Path:
    """A copy of the folder of revisions, for drafts."""
    copied = shutil.copytree(migrate.MIGRATIONS, tmp_path / "migrations")
    monkeypatch.setattr(migrate, "MIGRATIONS", copied)
    return copied / "versions"


@pytest.fixture
def one_more_table() -> Iterator[None]:
    """A table that no revision creates yet."""
    table = Table(
        "drafted",
        metadata,
        Column("user_id", String(36), ForeignKey("users.id"), primary_key=True),
        Column("at", Instant, nullable=False, index=True),
        Column("kept", Json),
    )
    yield
    metadata.remove(table)


@pytest.mark.parametrize("name", ["", "Greetings", "two words", "../outside", "x" * 22])
def test_a_draft_needs_a_name_that_is_valid_for_files_and_the_database(drafts, name):
    before = sorted(drafts.iterdir())
    with pytest.raises(ValueError, match="lower-case"):
        draft_revision(name, date(2999, 1, 2))
    assert sorted(drafts.iterdir()) == before


@pytest.mark.usefixtures("one_more_table")
async def test_a_drafted_revision_creates_the_declared_tables_without_application_code(
    drafts, empty_url
):
    draft_revision("drafted_things", date(2999, 1, 2))
    text = (drafts / "2999_01_02_drafted_things.py").read_text()
    assert 'revision = "2999_01_02_drafted_things"\n' in text
    assert "storage" not in text
    assert await differences_of(empty_url) == []
