"""Other accounts on the machine cannot read the server's files."""

import os
import stat
from pathlib import Path

import pytest

from server.own_files import keep_private
from tests.world import Process, settings_of, sign_up

OTHERS = stat.S_IRWXG | stat.S_IRWXO


@pytest.fixture
def loose_umask():
    """The usual umask, with which all accounts can read new files."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def list_open(folder: Path) -> list[str]:
    """The paths in the folder, and the folder itself, that other accounts can access."""
    found = [folder, *folder.rglob("*")]
    return [str(path) for path in found if path.lstat().st_mode & OTHERS]


@pytest.fixture
async def serving(loose_umask, tmp_path, process_of):
    """A used process, with a data folder that was open to all accounts before."""
    data = tmp_path / "data"
    (data / "mail").mkdir(parents=True)
    (data / "mail" / "old.eml").write_text("Your pincode is 123456")
    (data / "files" / "ab").mkdir(parents=True)
    (data / "files" / "ab" / "picture").write_bytes(b"x")
    (data / "secret").write_text("s" * 64)
    (data / "parley.db").touch()
    assert len(list_open(data)) == 8
    return await process_of(f"sqlite:///{data}/parley.db"), data


async def test_new_and_existing_files_are_private_to_the_server(serving):
    process, data = serving
    assert isinstance(process, Process)
    await sign_up(process, process.mails, "ana")
    names = {path.name for path in data.rglob("*")}
    assert {"parley.db", "parley.db-wal", "parley.db-shm", "mail", "old.eml", "lock"} <= names
    assert sum(name.endswith(".eml") for name in names) == 2
    assert list_open(data) == []
    assert process.stop() == 0
    assert list_open(data) == []


async def test_a_shared_sticky_folder_keeps_its_permissions(loose_umask, tmp_path, logs):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    keep_private(settings_of(shared, f"sqlite:///{shared}/parley.db"))
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777
    assert "readable_by_others" in logs.getvalue()
