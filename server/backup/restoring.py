"""Restores a backup to an instance that is not running.

Invariants:
- First, everything is unpacked next to its target, as `NAME.restored`, and checked. Until that is
  done, nothing of the instance changes, and a failure removes the unpacked files.
- Then the journal, which lists the moves, is written. This is the commit: from now on the restore
  only continues, and the next command of any kind completes an interrupted one.
- The data folder is locked throughout, so no instance serves from a half-restored folder.
"""

import asyncio
import os
import shutil
import uuid
from pathlib import Path

import msgspec

from server.backup.archive import (
    CHUNK,
    DATABASE,
    FILES,
    SECRET,
    BackupError,
    BrokenArchive,
    Manifest,
    Summed,
    read_archive,
    read_manifest,
)
from server.backup.making import Progress, Tell
from server.backup.places import Places, check_account, find_secret, fingerprint_secret, places_of
from server.serving import lock_folder
from server.settings import Settings
from storage.engine.database import open_database
from storage.engine.migrate import UnknownSchema, check_revision
from storage.events.epoch import renew_epoch

Moves = list[tuple[str, str]]
"""Pairs of an unpacked path and its target."""


def restore(
    settings: Settings, file: Path, *, replace: bool, other_secret: bool, tell: Tell
) -> str:
    """Replace the instance's data by an archive; returns a line that describes it.

    Raises BackupError, FolderInUse, OSError or StorageUnavailable, and then has changed nothing.
    """
    check_account(settings.data_dir)
    with lock_folder(settings.data_dir):
        places = places_of(settings)
        _put_in_place(places.journal)
        staging = _Staging(settings, places, Progress(tell))
        try:
            manifest = staging.unpack(file, replace=replace)
            staging.check_secret(manifest, other_secret=other_secret)
            if manifest.revision:
                asyncio.run(_renew_epoch(staging.database))
            _commit(places.journal, staging.list_moves())
        except BaseException:
            if not places.journal.exists():
                staging.clear()
            raise
        _put_in_place(places.journal)
    return f"restored {file} of {manifest.made_at:%Y-%m-%d %H:%M} UTC, {staging.count} files"


def complete_restore(settings: Settings) -> None:
    """Complete an interrupted restore; raises FolderInUse while another one runs."""
    journal = places_of(settings).journal
    if journal.exists():
        with lock_folder(settings.data_dir):
            _put_in_place(journal)


class _Staging:
    """The unpacked content of an archive, next to its targets."""

    def __init__(self, settings: Settings, places: Places, progress: Progress) -> None:
        self.count = 0
        self.database = _beside(places.database or places.journal)
        self._files = _beside(places.files or places.journal)
        self._secret = _beside(places.secret)
        self._settings = settings
        self._places = places
        self._progress = progress

    def unpack(self, file: Path, *, replace: bool) -> Manifest:
        """Unpack an archive and check that it can be restored here."""
        with file.open("rb") as archive:
            members = read_archive(archive)
            manifest = read_manifest(*next(members))
            self._check(manifest, replace=replace)
            self.clear()
            if manifest.files:
                self._files.mkdir(parents=True)
            for name, content in members:
                self._unpack_member(name, content)
        if bool(manifest.revision) != self.database.exists():
            raise BrokenArchive("the archive's manifest does not match its contents")
        return manifest

    def check_secret(self, manifest: Manifest, *, other_secret: bool) -> None:
        """Raises BackupError if the secret in use cannot decrypt sealed data in the database."""
        if self._settings.environment.secret:
            self._secret.unlink(missing_ok=True)
        kept = self._secret if self._secret.exists() else self._places.secret
        fits = fingerprint_secret(find_secret(self._settings, kept)) == manifest.secret
        if manifest.revision and not fits and not other_secret:
            raise BackupError(
                "the backup was made with another PARLEY_SECRET: set it, or add --other-secret"
            )

    def list_moves(self) -> Moves:
        targets = (
            (self.database, self._places.database),
            (self._files, self._places.files),
            (self._secret, self._places.secret),
        )
        return [(str(new), str(target)) for new, target in targets if new.exists()]

    def clear(self) -> None:
        for path in (self.database, self._files, self._secret):
            shutil.rmtree(path, ignore_errors=True)
            for end in ("", "-wal", "-shm"):
                if not path.is_dir():
                    Path(f"{path}{end}").unlink(missing_ok=True)

    def _check(self, manifest: Manifest, *, replace: bool) -> None:
        """Raises BackupError unless the content of the archive can be restored here."""
        places = self._places
        if manifest.revision and places.database is None:
            raise BackupError(
                "the backup contains a SQLite database, but the settings name PostgreSQL"
            )
        if manifest.revision:
            _check_schema(manifest.revision)
        if manifest.files and places.files is None:
            raise BackupError("the backup contains files, but the settings keep files in S3")
        if manifest.files and places.files is not None and places.files.is_mount():
            raise BackupError(f"{places.files} is a mount point, which cannot be replaced")
        if not replace:
            _check_empty(manifest, places)

    def _unpack_member(self, name: str, content: Summed) -> None:
        """Unpack one member; `archive.NAME` allows no name that leads out of the folder."""
        if name == DATABASE:
            path = self.database
        elif name == SECRET:
            path = self._secret
        elif name.startswith(FILES) and self._files.is_dir():
            path = self._files / name.removeprefix(FILES)
            self.count += not path.exists()  # a file deleted during the backup may occur twice
        else:
            raise BrokenArchive(f"the archive has {name} in the wrong place")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            shutil.copyfileobj(content, file, CHUNK)
        self._progress.note(f"files: {self.count}")


def _beside(place: Path) -> Path:
    return place.with_name(f"{place.name}.restored")


def _check_schema(revision: str) -> None:
    """Raises BackupError if this version cannot upgrade the backup's database."""
    try:
        check_revision(revision)
    except UnknownSchema as unknown:
        raise BackupError(f"the backup's {unknown}") from None


def _check_empty(manifest: Manifest, places: Places) -> None:
    database, files = places.database, places.files
    if manifest.revision and database is not None and database.exists():
        raise BackupError(f"a database exists at {database}; --replace deletes it")
    if manifest.files and files is not None and files.is_dir() and any(files.glob("[!.]*/*")):
        raise BackupError(f"files exist in {files}; --replace deletes them")


async def _renew_epoch(path: Path) -> None:
    """Change the epoch, which invalidates clients' old sequence numbers."""
    database = open_database(f"sqlite:///{path}")
    await database.start()
    try:
        await database.transact(lambda tx: renew_epoch(tx, str(uuid.uuid4())))
    finally:
        await database.stop()


def _commit(journal: Path, moves: Moves) -> None:
    """Write the journal, durably and at once; only moving the files is left after it."""
    os.sync()
    fresh = journal.with_name(f"{journal.name}.fresh")
    fresh.write_bytes(msgspec.json.encode(moves))
    os.sync()
    fresh.replace(journal)
    os.sync()


def _put_in_place(journal: Path) -> None:
    """Carry out the moves in the journal, except those that are done already."""
    if not journal.exists():
        return
    for new, place in msgspec.json.decode(journal.read_bytes(), type=Moves):
        _swap(Path(new), Path(place))
    os.sync()
    journal.unlink()


def _swap(new: Path, place: Path) -> None:
    replaced = place.with_name(f"{place.name}.replaced")
    if new.exists():
        if place.is_dir():
            shutil.rmtree(replaced, ignore_errors=True)
            place.rename(replaced)
        for end in ("-wal", "-shm"):  # the old database's log must not apply to the restored one
            Path(f"{place}{end}").unlink(missing_ok=True)
        new.replace(place)
    if replaced.is_dir():
        shutil.rmtree(replaced)
