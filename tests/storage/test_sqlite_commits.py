"""A COMMIT that SQLite could not finish is certainly rolled back, or has an unknown outcome."""

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest

from storage.engine import sqlite, sqlite_batches
from storage.engine.database import OutcomeUnknown, StorageUnavailable
from tests.parts.seccomp import refuse_syncs
from tests.storage.scratch import keys, put


@pytest.fixture(params=["sqlite"])
def database_kind(request):
    return request.param


def putting(key: str):
    return lambda queries: put(queries, key, effect=True)


async def keys_after_a_crash(database, folder: Path) -> set[str]:
    """The keys that SQLite recovers from the files as they are now."""
    folder.mkdir()
    for end in ("", "-wal"):
        shutil.copy(f"{database.path}{end}", folder / f"crashed{end}")
    crashed = sqlite.SqliteDatabase(str(folder / "crashed"))
    await crashed.start()
    found = await crashed.read(keys)
    await crashed.stop()
    return found


async def test_a_commit_with_a_failed_sync_survives_a_crash_unless_erased(
    database, tmp_path, monkeypatch
):
    """The reason for `erase_commit`: SQLite reports a failed commit that is still in the log."""
    await database.transact(putting("before"))
    with monkeypatch.context() as patch:
        patch.setattr(sqlite_batches, "erase_commit", lambda connection, error: None)
        await database._writer.in_thread(lambda connection: refuse_syncs())
        with pytest.raises(StorageUnavailable):
            await database.transact(putting("a"))
    assert await database.read(keys) == {"before"}
    assert await keys_after_a_crash(database, tmp_path / "1") == {"before", "a"}
    sound = database._connect()
    sqlite_batches.erase_commit(sound, sqlite3.OperationalError())
    sound.close()
    assert await keys_after_a_crash(database, tmp_path / "2") == {"before"}


async def test_a_disk_that_refuses_syncs_leaves_the_outcome_unknown(database, effects):
    await database.transact(putting("before"))
    await database._writer.in_thread(lambda connection: refuse_syncs())
    works = [database.transact(putting(key)) for key in "ab"]
    ended = await asyncio.gather(*works, return_exceptions=True)
    assert [type(one) for one in ended] == [OutcomeUnknown] * 2
    assert effects == ["before"]
    assert await database.read(keys) == {"before"}


async def test_a_failed_commit_that_is_erased_is_refused(database, effects):
    class Failing:
        """The writer's connection, with a COMMIT that fails."""

        def __init__(self, connection) -> None:
            self._connection = connection

        def __getattr__(self, name: str):
            return getattr(self._connection, name)

        def execute(self, sql: str, *values):
            if sql == "COMMIT":
                error = sqlite3.OperationalError("the disk")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR
                raise error
            return self._connection.execute(sql, *values)

    writer = database._writer
    sound, writer.connection = writer.connection, Failing(writer.connection)
    with pytest.raises(StorageUnavailable) as refused:
        await database.transact(putting("a"))
    writer.connection = sound
    assert not isinstance(refused.value, OutcomeUnknown)
    assert await database.transact(putting("b")) == "b"
    assert await database.read(keys) == {"b"}
    assert effects == ["b"]
