"""The paths of an instance's database, files and secret, for backup and restore."""

import os
from pathlib import Path
from typing import NamedTuple

from handlers.kit.keys import Keys
from server.backup.archive import BackupError
from server.settings import Settings


class Places(NamedTuple):
    """`database` is None with PostgreSQL, and `files` is None with S3. While `journal` exists, a
    restore is being put in place."""

    database: Path | None
    files: Path | None
    secret: Path
    journal: Path


def places_of(settings: Settings) -> Places:
    """The paths for these settings, with symbolic links resolved."""
    url, folder = settings.database_url, settings.files_folder()
    data = settings.data_dir.resolve()
    embedded = Path(url.removeprefix("sqlite:///")).resolve()
    return Places(
        database=embedded if url.startswith("sqlite:///") else None,
        files=folder.resolve() if folder is not None else None,
        secret=data / "secret",
        journal=data / "restoring",
    )


def find_secret(settings: Settings, kept: Path) -> str | None:
    """The secret in use; None if `Settings.secret` has not created it yet."""
    if settings.environment.secret:
        return settings.environment.secret
    return kept.read_text().strip() if kept.is_file() else None


def fingerprint_secret(secret: str | None) -> str:
    """A fingerprint that distinguishes secrets but reveals nothing about them."""
    return Keys(secret).fingerprint("backup") if secret else ""


def check_account(folder: Path) -> None:
    """Raises BackupError if another account runs this: the server could not use its files."""
    if folder.exists() and folder.stat().st_uid != os.geteuid():
        raise BackupError(f"run this as the account that owns {folder}")
