"""The result of a restore, and refused archives."""

import asyncio
import io
import os
import sqlite3
import subprocess
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from server.backup import restoring
from server.backup.archive import BackupError
from server.backup.making import make_backup
from server.backup.restoring import complete_restore
from server.serving import FolderInUse, lock_folder
from storage.engine.migrate import known_revisions, migrate_file
from tests.server.backup.folders import (
    CONTENTS,
    SECRET,
    back_up,
    contents_of,
    database_in,
    members_of,
    put_back,
    put_files,
    run,
    scalar,
    settings_in,
    silent,
)
from tests.storage.release_dump import RELEASES


def test_a_restore_recreates_the_database_the_files_and_the_secret(here, there, archive):
    put_back(there, archive)
    assert contents_of(there / "files") == CONTENTS
    assert (there / "secret").read_text() == SECRET
    assert scalar(there, "SELECT epoch FROM epochs") not in ("the first", None)
    assert scalar(here, "SELECT epoch FROM epochs") == "the first"
    assert sorted(path.name for path in there.iterdir()) == ["files", "lock", "parley.db", "secret"]


def test_the_checksums_can_be_checked_without_parley(archive, tmp_path):
    subprocess.run(["tar", "-xf", archive, "-C", tmp_path], check=True)
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=tmp_path, check=True)


def test_existing_data_is_replaced_only_with_the_option(here, archive):
    put_files(here / "files", {"kept/later": b"later"})
    Path(f"{database_in(here)}-wal").write_bytes(b"the log of the database that is replaced")
    before = contents_of(here)
    with pytest.raises(BackupError, match="--replace"):
        put_back(here, archive)
    assert contents_of(here) == before
    put_back(here, archive, replace=True)
    assert contents_of(here / "files") == CONTENTS
    assert scalar(here, "SELECT epoch FROM epochs") != "the first"


@pytest.fixture
def interrupt(here, archive, monkeypatch) -> Callable[[int], None]:
    """`interrupt(moved)` ends a restore after that many moves."""

    def interrupted(moved: int) -> None:
        swap, swapped = restoring._swap, []

        def swap_some(new: Path, place: Path) -> None:
            if len(swapped) == moved:
                raise KeyboardInterrupt
            swapped.append(place)
            swap(new, place)

        put_files(here / "files", {"kept/later": b"later"})
        with monkeypatch.context() as patched:
            patched.setattr(restoring, "_swap", swap_some)
            with pytest.raises(KeyboardInterrupt):
                put_back(here, archive, replace=True)

    return interrupted


@pytest.mark.parametrize("moved", [0, 1, 2], ids=["none", "the database", "the files too"])
def test_an_interrupted_restore_is_completed(here, interrupt, moved):
    interrupt(moved)
    with lock_folder(here), pytest.raises(FolderInUse):
        complete_restore(settings_in(here))
    complete_restore(settings_in(here))
    assert contents_of(here / "files") == CONTENTS
    assert scalar(here, "SELECT epoch FROM epochs") != "the first"
    assert sorted(path.name for path in here.iterdir()) == ["files", "lock", "parley.db", "secret"]


def test_the_next_command_completes_a_restore_that_was_interrupted(here, interrupt):
    interrupt(1)
    code, _, errors = asyncio.run(run({"PARLEY_DATA_DIR": str(here)}, "parked"))
    assert code == 0, errors
    assert contents_of(here / "files") == CONTENTS
    assert scalar(here, "SELECT epoch FROM epochs") != "the first"


def test_a_database_of_an_older_release_is_upgraded_at_the_next_start(here, there, tmp_path):
    database_in(here).unlink()
    with closing(sqlite3.connect(database_in(here))) as connection:
        connection.executescript((RELEASES / "0.1.0.sqlite.sql").read_text())
    put_back(there, back_up(here, tmp_path / "old.tar"))
    migrate_file(str(database_in(there)))
    assert scalar(there, "SELECT version_num FROM alembic_version") == max(known_revisions())
    assert scalar(there, "SELECT count(*) FROM users") == 2


def test_the_secret_has_to_be_the_one_of_the_backup(here, there, archive, tmp_path):
    own, other = "o" * 40, "x" * 40
    with pytest.raises(BackupError, match="PARLEY_SECRET"):
        put_back(there, archive, PARLEY_SECRET=other)
    assert contents_of(there) == {}
    put_back(there, archive, other_secret=True, PARLEY_SECRET=other)
    assert not (there / "secret").exists(), "the given one counts"
    file = tmp_path / "own.tar"
    settings = settings_in(here, PARLEY_SECRET=own)
    make_backup(settings, file, overwrite=False, files_only=False, tell=silent)
    assert "secret" not in members_of(file)
    with pytest.raises(BackupError, match="PARLEY_SECRET"):
        put_back(there, file, replace=True)
    put_back(there, file, replace=True, PARLEY_SECRET=own)


# Archives that are refused.


def rewritten(file: Path, change: Any) -> None:
    """Rewrite an archive, with each member replaced by `change(name, content)`."""
    members = [change(name, content) for name, content in all_of(file)]
    with tarfile.open(file, "w") as tar:
        for name, content in filter(None, members):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def all_of(file: Path) -> list[tuple[str, bytes]]:
    with tarfile.open(file) as tar:
        return [(one.name, tar.extractfile(one).read()) for one in tar]  # type: ignore[union-attr]


def cut(share: float) -> Any:
    return lambda file: os.truncate(file, int(file.stat().st_size * share))


def cut_the_checksums(file: Path) -> None:
    rewritten(file, lambda name, content: None if name == "SHA256SUMS" else (name, content))


def change_a_file(file: Path) -> None:
    other = b"23"
    rewritten(file, lambda name, content: (name, other if name == "files/kept/two" else content))


def leave_a_file_out(file: Path) -> None:
    rewritten(file, lambda name, content: None if name == "files/kept/two" else (name, content))


def rename_to(path: str) -> Any:
    def change(name: str, content: bytes) -> tuple[str, bytes]:
        return (path if name == "files/kept/two" else name), content

    return lambda file: rewritten(file, change)


def in_manifest(old: bytes, new: bytes) -> Any:
    def change(name: str, content: bytes) -> tuple[str, bytes]:
        return name, content.replace(old, new) if name == "manifest.json" else content

    return lambda file: rewritten(file, change)


def add_a_link(file: Path) -> None:
    with tarfile.open(file, "w") as tar:
        link = tarfile.TarInfo("manifest.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)


def in_the_middle(file: Path) -> None:
    """Flip one bit of the database."""
    with file.open("r+b") as opened:
        opened.seek(file.stat().st_size // 2)
        byte = opened.read(1)[0]
        opened.seek(-1, os.SEEK_CUR)
        opened.write(bytes([byte ^ 1]))


NEWEST = max(known_revisions()).encode()
BROKEN = {
    "empty": (cut(0), "damaged"),
    "cut in the manifest": (cut(0.001), "archive"),
    "cut in the middle": (cut(0.5), "damaged"),
    "cut near its end": (cut(0.96), "damaged|incomplete"),
    "no checksums": (cut_the_checksums, "incomplete"),
    "a bit of the database": (in_the_middle, "checksums do not match"),
    "a file of other bytes": (change_a_file, "checksums do not match"),
    "a file less": (leave_a_file_out, "checksums do not match"),
    "a path that leads out": (rename_to("files/../../out"), "unexpected member"),
    "an absolute path": (rename_to("/out"), "unexpected member"),
    "a hidden path": (rename_to("files/kept/.two"), "unexpected member"),
    "a database among the files": (rename_to("files/parley.db"), "unexpected member"),
    "a link": (add_a_link, "unexpected member"),
    "text": (lambda file: file.write_text("This is no backup. " * 1000), "damaged"),
    "another format": (in_manifest(b'"format":1', b'"format":2'), "format 2"),
    "a newer schema": (in_manifest(b'"revision":"', b'"revision":"9'), "newer version"),
    "an unreleased schema": (in_manifest(NEWEST, b"0017"), "before release"),
    "a manifest of something else": (in_manifest(b"{", b"["), "manifest"),
    "no files by its manifest": (in_manifest(b"true", b"false"), "in the wrong place"),
}


@pytest.mark.parametrize(("damage", "says"), BROKEN.values(), ids=BROKEN)
def test_a_broken_archive_changes_nothing(here, archive, tmp_path, damage, says):
    put_files(here / "files", {"kept/later": b"later"})
    damage(archive)
    before = contents_of(here)
    with pytest.raises(BackupError, match=says) as refused:
        put_back(here, archive, replace=True)
    assert "\n" not in str(refused.value)
    assert contents_of(here) == before
    assert not (tmp_path / "out").exists()
