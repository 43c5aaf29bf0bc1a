"""The content of a backup, and refused backups."""

import os
import resource
import sqlite3
import subprocess
import sys
from typing import Any

import pytest

from server.backup import making
from server.backup.archive import BackupError
from storage.objects.copying import CopyUnderWay, delete, keep_deleted, list_files, sweep_deleted
from tests.server.backup.folders import (
    CONTENTS,
    back_up,
    contents_of,
    database_in,
    members_of,
    put_files,
)
from tests.world import ROOT

# Files that are deleted during the copy.


def test_a_file_deleted_after_the_snapshot_is_in_the_archive(here, tmp_path, monkeypatch):
    copy = making.copy_database

    def copy_and_delete(*args: Any) -> None:
        copy(*args)
        delete(here / "files", "kept/one")
        delete(here / "files", "kept/never was")

    monkeypatch.setattr(making, "copy_database", copy_and_delete)
    members = members_of(back_up(here, tmp_path / "backup.tar"))
    assert members["files/kept/one"] == CONTENTS["kept/one"]
    assert sorted(contents_of(here / "files")) == ["kept/two", "thumbnails/one"]


def test_deleted_files_go_at_once_without_a_running_backup(here):
    with keep_deleted(here / "files"):
        pass
    delete(here / "files", "kept/one")
    assert sorted(contents_of(here / "files")) == ["kept/two", "thumbnails/one"]


def test_files_moved_or_deleted_during_a_listing_are_listed(here):
    folder = here / "files"
    put_files(folder, {"incoming/new": b"new", "incoming/half.coming": b"ha"})
    with keep_deleted(folder):
        listing = list_files(folder)
        found = [next(listing)[0]]
        (folder / "incoming/new").rename(folder / "kept/new")
        delete(folder, "thumbnails/one")
        found += [key for key, _ in listing]
    assert sorted({*found}) == [
        "incoming/new",
        "kept/new",
        "kept/one",
        "kept/two",
        "thumbnails/one",
    ]


def test_files_kept_by_a_killed_backup_are_deleted_by_the_next_sweep(here):
    folder = here / "files"
    put_files(folder / ".deleted", {"kept/gone": b"gone"})
    with keep_deleted(folder):
        sweep_deleted(folder)
        assert (folder / ".deleted/kept/gone").exists(), "somebody copies it"
        put_files(folder / ".deleted", {"kept/gone": b"gone"})
    put_files(folder / ".deleted", {"kept/gone": b"gone"})
    sweep_deleted(folder)
    assert not (folder / ".deleted").exists()


def test_two_backups_do_not_run_at_once(here, tmp_path, monkeypatch):
    monkeypatch.setattr("storage.objects.copying.LOCKED_WITHIN_S", 0.1)
    with keep_deleted(here / "files"), pytest.raises(CopyUnderWay):
        back_up(here, tmp_path / "backup.tar")
    assert not (tmp_path / "backup.tar").exists()


# Backups that are refused.


def test_an_existing_file_is_overwritten_only_with_the_option(here, archive):
    before = archive.read_bytes()
    with pytest.raises(BackupError, match="--overwrite"):
        back_up(here, archive)
    assert archive.read_bytes() == before
    delete(here / "files", "kept/one")
    back_up(here, archive, overwrite=True)
    assert "files/kept/one" not in members_of(archive)


def test_a_full_disk_leaves_the_previous_backup(here, archive, tmp_path):
    before = archive.read_bytes()
    found = sorted(tmp_path.iterdir())
    limit = database_in(here).stat().st_size + 20_000
    refused = subprocess.run(
        [sys.executable, "run.py", "backup", archive, "--overwrite"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PARLEY_DATA_DIR": str(here)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith("parley: cannot back up: ")
    assert refused.stderr.count("\n") == 1
    assert archive.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == found


def test_a_damaged_or_missing_database_is_not_backed_up(here, tmp_path):
    file, database = tmp_path / "backup.tar", database_in(here)
    with database.open("r+b") as opened:
        opened.seek(4096 * 3)
        opened.write(os.urandom(4096 * 20))
    with pytest.raises((BackupError, sqlite3.Error)):
        back_up(here, file)
    database.unlink()
    with pytest.raises(BackupError, match="there is no database"):
        back_up(here, file)
    assert not file.exists()
