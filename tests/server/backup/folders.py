"""Creates, backs up, restores and reads data folders."""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from server.backup.archive import read_archive
from server.backup.making import make_backup
from server.backup.restoring import restore
from server.settings import Settings, read_settings
from tests.parts.launcher import run_to_end

SECRET = "a secret that the server made at its first start"
CONTENTS = {"kept/one": b"1" * 70_000, "kept/two": b"22", "thumbnails/one": b"small"}


def silent(text: str) -> None:
    """Ignore progress."""


def settings_in(data: Path, **environ: str) -> Settings:
    return read_settings({"PARLEY_DATA_DIR": str(data), **environ})


def database_in(data: Path) -> Path:
    return data / "parley.db"


def scalar(data: Path, statement: str) -> Any:
    with closing(sqlite3.connect(database_in(data))) as connection:
        return connection.execute(statement).fetchone()[0]


def contents_of(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, except the lock and SQLite's own files."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in files
        if path.name not in ("lock", ".copying") and not path.name.endswith("-shm")
    }


def put_files(folder: Path, contents: dict[str, bytes]) -> None:
    for key, content in contents.items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(content)


def back_up(data: Path, file: Path, *, overwrite: bool = False, files_only: bool = False) -> Path:
    make_backup(settings_in(data), file, overwrite=overwrite, files_only=files_only, tell=silent)
    return file


def put_back(
    data: Path, file: Path, *, replace: bool = False, other_secret: bool = False, **environ: str
) -> str:
    return restore(
        settings_in(data, **environ),
        file,
        replace=replace,
        other_secret=other_secret,
        tell=silent,
    )


def members_of(file: Path) -> dict[str, bytes]:
    with file.open("rb") as opened:
        return {name: content.read() for name, content in read_archive(opened)}


async def run(environ: dict[str, str], *args: str | Path) -> tuple[int, str, str]:
    """Run `run.py ARGS`; returns the exit code, the output and the errors."""
    environ = {"PATH": os.environ["PATH"], **environ}
    ended = await asyncio.to_thread(run_to_end, ["run.py", *map(str, args)], environ)
    return ended.returncode, ended.stdout, ended.stderr
