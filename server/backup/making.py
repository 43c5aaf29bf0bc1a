"""Makes a backup while an instance serves.

Invariants:
- The copied database is one snapshot. The copy holds a read transaction, which does not block
  writers; SQLite's write-ahead log grows until the copy ends.
- From before the snapshot until the last file is copied, deleted files are kept
  (`storage/objects/copying.py`), and files are on disk before a commit refers to them. So every
  file that the snapshot refers to is in the archive. Later files may be in it too.
- The archive is synced and then renamed, so under its name it is complete or missing.
"""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import BinaryIO

from server.backup.archive import DATABASE, FILES, SECRET, BackupError, Manifest, Writer
from server.backup.places import Places, check_account, find_secret, fingerprint_secret, places_of
from server.settings import Settings
from storage.objects.copying import keep_deleted, list_files

Tell = Callable[[str], None]
PAGES = 4_096
TELL_EVERY_S = 2.0
BUSY_TIMEOUT_S = 5.0


class Progress:
    """Reports progress, at most every `TELL_EVERY_S`."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._told_at = monotonic()

    def note(self, text: str) -> None:
        if monotonic() - self._told_at >= TELL_EVERY_S:
            self._told_at = monotonic()
            self._tell(text)


def make_backup(
    settings: Settings, file: Path, *, overwrite: bool, files_only: bool, tell: Tell
) -> str:
    """Write an archive to `file`, readable only by its owner; returns a line that describes it.

    Raises BackupError, CopyUnderWay, OSError or sqlite3.Error, and then leaves no file behind.
    """
    places = _check(settings, file, overwrite=overwrite, files_only=files_only)
    progress = Progress(tell)
    with tempfile.TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as name:
        scratch = Path(name)
        archive = scratch / "archive"
        with _open_archive(archive) as out:
            count = _write(settings, places, scratch, out, progress)
        size = archive.stat().st_size
        archive.replace(file)
    _sync_folder(file.parent)
    return f"{file}: {size} bytes, {count} files"


def _check(settings: Settings, file: Path, *, overwrite: bool, files_only: bool) -> Places:
    places = places_of(settings)
    check_account(settings.data_dir)
    if file.exists() and not overwrite:
        raise BackupError(f"{file} exists; --overwrite replaces it")
    if files_only:
        if places.files is None:
            raise BackupError("the files are in S3: turn on versioning for the bucket instead")
        return places._replace(database=None)
    if places.database is None:
        raise BackupError("use pg_dump for PostgreSQL, and --files-only here (docs/BACKUP.md)")
    if not places.database.is_file():
        raise BackupError(f"there is no database at {places.database}")
    return places


@contextmanager
def _open_archive(path: Path) -> Iterator[BinaryIO]:
    """A new file, readable only by its owner, which is synced at the end."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    with os.fdopen(descriptor, "w+b") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _write(
    settings: Settings, places: Places, scratch: Path, out: BinaryIO, progress: Progress
) -> int:
    """Write the archive; returns the number of files in it."""
    with keep_deleted(places.files) if places.files is not None else nullcontext():
        copy, revision, secret = scratch / DATABASE, "", None
        if places.database is not None:
            copy_database(places.database, copy, progress)
            revision, secret = _revision_of(copy), find_secret(settings, places.secret)
        has_files = places.files is not None
        now = datetime.now(UTC)
        manifest = Manifest(1, now, revision, fingerprint_secret(secret), has_files)
        with closing(Writer(out, scratch, manifest)) as writer:
            if secret and not settings.environment.secret:
                _add(writer, SECRET, places.secret)
            if revision:
                _add(writer, DATABASE, copy)
                copy.unlink()
            if places.files is not None:
                _add_files(writer, places.files, progress)
            writer.finish()
            return writer.files


def copy_database(path: Path, to: Path, progress: Progress) -> None:
    """Copy a snapshot of a SQLite database; raises BackupError if it is damaged."""
    source = sqlite3.connect(
        f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S
    )
    with closing(source), closing(sqlite3.connect(to)) as copy:
        copy.execute("PRAGMA journal_mode=OFF")
        copy.execute("PRAGMA synchronous=OFF")
        source.execute("BEGIN")  # otherwise each change by a writer restarts the copy
        source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        source.backup(
            copy,
            pages=PAGES,
            progress=lambda _, left, pages: progress.note(
                f"database: {left} of {pages} pages to copy left"
            ),
        )
        found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise BackupError(f"the database is damaged: {found}")


def _revision_of(database: Path) -> str:
    """The revision of a database's schema; raises BackupError if it has none."""
    reading = sqlite3.connect(f"{database.as_uri()}?mode=ro&immutable=1", uri=True)
    with closing(reading):
        try:
            return str(reading.execute("SELECT version_num FROM alembic_version").fetchone()[0])
        except (sqlite3.Error, TypeError):
            raise BackupError("the database does not contain the tables of Parley") from None


def _add_files(writer: Writer, folder: Path, progress: Progress) -> None:
    for key, path in list_files(folder):
        with suppress(FileNotFoundError):  # it moved to a folder that is listed later
            _add(writer, FILES + key, path)
        progress.note(f"files: {writer.files}")


def _add(writer: Writer, name: str, path: Path) -> None:
    with path.open("rb") as file:
        writer.add(name, file, os.fstat(file.fileno()).st_size)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
