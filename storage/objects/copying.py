"""Copying a folder of objects while others add to it and delete from it.

Invariants:
- Whoever copies the folder holds the lock of `.copying`; the kernel releases it when they die.
- While it is held, deleting a file moves it to `.deleted/` under the same key. A file that was in
  the folder when the copy began is therefore found in its place, or else in `.deleted/`.
- `.deleted/` is emptied when the copy ends, or by the next sweep when the copy died.
- The lock is taken before the database is copied: a file is deleted only after the commit that
  lets go of it, so whatever the copied database refers to is still there.
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
"""What keys look like. Nothing that begins with a dot is one."""
LOCKED_WITHIN_S = 5.0
RETRY_S = 0.02


class CopyUnderWay(Exception):
    """Somebody else copies the folder now."""


@contextmanager
def keep_deleted(folder: Path) -> Iterator[None]:
    """Keep what is deleted meanwhile, so that it can be copied; raises CopyUnderWay."""
    with (folder / LOCK).open("ab") as file:
        if not _lock_within(file, LOCKED_WITHIN_S):
            raise CopyUnderWay(f"another backup copies {folder}")
        try:
            yield
        finally:
            _empty(folder)


def list_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every object as its key and its path; some may be gone when they are opened.

    Objects move from `incoming/` to where they stay, and from there to `.deleted/`. The folders
    are listed in that order, so that one that moves is listed at least once.
    """
    names = sorted(one.name for one in folder.iterdir() if one.is_dir() and one.name[0] != ".")
    names.sort(key=lambda name: name != "incoming")
    for name in names:
        yield from _list_within(folder, folder / name)
    yield from _list_within(folder / DELETED, folder / DELETED)


def delete(folder: Path, key: str) -> None:
    """Delete an object, or put it aside while the folder is copied."""
    path, aside = folder / key, folder / DELETED / key
    while _is_copied(folder):
        try:
            aside.parent.mkdir(parents=True, exist_ok=True)
            path.replace(aside)
        except FileNotFoundError:  # it is gone, or the copy has just ended
            if not path.exists():
                return
        else:
            return
    path.unlink(missing_ok=True)


def sweep_deleted(folder: Path) -> None:
    """Delete what a copy that died left behind."""
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
    """Take the lock, for which deletions look for a moment too."""
    end = time.monotonic() + within_s
    while not _lock(file, fcntl.LOCK_EX):
        if time.monotonic() > end:
            return False
        time.sleep(RETRY_S)
    return True


def _lock(file: BinaryIO, how: int) -> bool:
    """Whether the lock is ours now, until the file is closed."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _empty(folder: Path) -> None:
    shutil.rmtree(folder / DELETED, ignore_errors=True)
