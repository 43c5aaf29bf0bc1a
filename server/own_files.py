"""Makes the server's files and folders private to the account that it runs as.

The umask, set once before anything is written, makes new files and folders private. Permissions
from earlier starts are corrected: those of the data folder, of our files in it, and of the folders
for mails and files with all their content.
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
    """Make existing and future files private; log once if some cannot be changed."""
    os.umask(OTHERS)
    failed = [path for path in _list_ours(settings) if not _make_private(path)]
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
    """The content of the folder, then the folder itself; nothing if the folder is private.

    The folder comes last, so a private folder has private content. So a large folder is walked
    once, not at each start.
    """
    if not folder.is_dir() or not folder.stat().st_mode & OTHERS:
        return
    for place, _, files in os.walk(folder, topdown=False):
        yield from (Path(place) / name for name in files)
        yield Path(place)


def _make_private(path: Path) -> bool:
    """Make a file private; returns whether it is. Leaves links and sticky folders unchanged."""
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
