"""What this server keeps on disk is for the account that it runs as, and for nobody else.

New files and folders are private by the umask, which is set once, before anything is written. Those
of earlier starts are corrected: the data folder and what lies in it under names of ours, and the
folders of mails and files with all that they hold.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import structlog

from server.settings import Settings

log = structlog.get_logger("files")

OTHERS = stat.S_IRWXG | stat.S_IRWXO
IN_DATA_DIR = ("parley.db", "parley.db-wal", "parley.db-shm", "secret", "lock")


def keep_private(settings: Settings) -> None:
    """Let nobody else read what is there or will be; what cannot be changed is logged, once."""
    os.umask(OTHERS)
    failed = [path for path in _list_ours(settings) if not _take_from_others(path)]
    if failed:
        log.warning("readable_by_others", first=str(failed[0]), count=len(failed))


def _list_ours(settings: Settings) -> Iterator[Path]:
    yield settings.data_dir
    yield from (settings.data_dir / name for name in IN_DATA_DIR)
    database = settings.database_url.removeprefix("sqlite:///")
    if database != settings.database_url:
        yield from (Path(database + end) for end in ("", "-wal", "-shm"))
    for folder in (settings.mail_folder(), settings.files_folder()):
        if folder is not None:
            yield from _list_within(folder)


def _list_within(folder: Path) -> Iterator[Path]:
    """All in the folder, and last the folder itself: when it is private, so is all that it holds.

    A large folder is therefore walked through once, and not at each start.
    """
    if not folder.is_dir() or not folder.stat().st_mode & OTHERS:
        return
    for place, _, files in os.walk(folder, topdown=False):
        yield from (Path(place) / name for name in files)
        yield Path(place)


def _take_from_others(path: Path) -> bool:
    """Whether nobody else can use it now; links, and folders that all share, are left alone."""
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode) or not mode & OTHERS:
            return True
        if mode & stat.S_ISVTX:
            return False
        path.chmod(stat.S_IMODE(mode) & ~OTHERS)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
