"""Copies a folder of objects for a backup while other processes add and delete objects.

Invariants:
- The process that copies the folder holds the lock on `.copying`. The operating system releases the
  lock if the process dies.
- While the lock is held, deleting a file moves it to `.deleted/` under the same key. A file that
  was in the folder when the copy started is therefore still there or in `.deleted/`.
- The end of the copy empties `.deleted/`; if the process died, the next sweep does.
- The process takes the lock before it copies the database. A file is deleted only after the commit
  that removes the reference to it, so every file that the copied database refers to still exists.
"""

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

LOCK = ".copying"
DELETED = ".deleted"
KEY = re.compile(r"[a-z]+(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*){1,3}")
"""The form of a key. No part of a key starts with a dot."""
LOCKED_WITHIN_S = 5.0
RETRY_S = 0.02


class CopyUnderWay(Exception):
    """Another process is copying the folder."""


@contextmanager
def keep_deleted(folder: Path) -> Iterator[None]:
    """Keep files that are deleted meanwhile, so that they can be copied; raises CopyUnderWay."""
    with (folder / LOCK).open("ab") as file:
        if not _lock_within(file, LOCKED_WITHIN_S):
            raise CopyUnderWay(f"another backup copies {folder}")
        try:
            yield
        finally:
            _empty(folder)


def list_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every object as its key and its path; a file can be gone before the caller opens it.

    Objects move from `incoming/` to their final folder, and from there to `.deleted/`. The folders
    are listed in this order, so that an object that moves is listed at least once.
    """
    names = sorted(one.name for one in folder.iterdir() if one.is_dir() and one.name[0] != ".")
    names.sort(key=lambda name: name != "incoming")
    for name in names:
        yield from _list_within(folder, folder / name)
    yield from _list_within(folder / DELETED, folder / DELETED)


def delete(folder: Path, key: str) -> None:
    """Delete an object; during a copy, move it to `.deleted/`."""
    path, aside = folder / key, folder / DELETED / key
    while _is_copied(folder):
        try:
            aside.parent.mkdir(parents=True, exist_ok=True)
            path.replace(aside)
        except FileNotFoundError:  # the file is gone, or the copy has just ended
            if not path.exists():
                return
        else:
            return
    path.unlink(missing_ok=True)


def sweep_deleted(folder: Path) -> None:
    """Empty `.deleted/` after a copy whose process died."""
    if not (folder / DELETED).is_dir():
        return
    with (folder / LOCK).open("ab") as file:
        if _lock(file, fcntl.LOCK_EX):
            _empty(folder)


def _list_within(folder: Path, place: Path) -> Iterator[tuple[str, Path]]:
    for at, folders, files in os.walk(place):
        folders[:] = [name for name in folders if not name.endswith(".joined")]
        for name in files:
            path = Path(at) / name
            key = path.relative_to(folder).as_posix()
            if KEY.fullmatch(key) and not name.endswith(".coming"):
                yield key, path


def _is_copied(folder: Path) -> bool:
    try:
        with (folder / LOCK).open("rb") as file:
            return not _lock(file, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def _lock_within(file: BinaryIO, within_s: float) -> bool:
    """Take the exclusive lock; retries, because deletions take the lock for a moment."""
    end = time.monotonic() + within_s
    while not _lock(file, fcntl.LOCK_EX):
        if time.monotonic() > end:
            return False
        time.sleep(RETRY_S)
    return True


def _lock(file: BinaryIO, how: int) -> bool:
    """Try to take the lock, which lasts until the file is closed; returns whether we have it."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _empty(folder: Path) -> None:
    shutil.rmtree(folder / DELETED, ignore_errors=True)
