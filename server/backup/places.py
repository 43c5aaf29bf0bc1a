"""Where an instance keeps what a backup holds."""

import os
from pathlib import Path
from typing import NamedTuple

from handlers.kit.keys import Keys
from server.backup.archive import BackupError
from server.settings import Settings


class Places(NamedTuple):
    """`database` is None on PostgreSQL, and `files` with S3. `journal` says that a restore is
    being put in place."""

    database: Path | None
    files: Path | None
    secret: Path
    journal: Path


def places_of(settings: Settings) -> Places:
    """The places of these settings, without symbolic links."""
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
    """The secret in use, which `Settings.secret` would make when there is none."""
    if settings.environment.secret:
        return settings.environment.secret
    return kept.read_text().strip() if kept.is_file() else None


def print_secret(secret: str | None) -> str:
    """A fingerprint that tells secrets apart and says nothing about them."""
    return Keys(secret).fingerprint("backup") if secret else ""


def check_account(folder: Path) -> None:
    """Raises BackupError for another account than the server's, which could not use the files."""
    if folder.exists() and folder.stat().st_uid != os.geteuid():
        raise BackupError(f"run this as the account that owns {folder}")
