"""Fixtures: a data folder, a backup of it, and a folder for a restore."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.server.backup.folders import CONTENTS, SECRET, back_up, database_in, put_files


@pytest.fixture
def here(tmp_path: Path, sqlite_template: Path) -> Path:
    """A data folder with a database, a secret and files."""
    data = tmp_path / "here"
    data.mkdir()
    shutil.copy(sqlite_template, database_in(data))
    (data / "secret").write_text(SECRET)
    put_files(data / "files", CONTENTS)
    with closing(sqlite3.connect(database_in(data))) as connection:
        connection.execute("INSERT INTO epochs (id, epoch) VALUES (1, 'the first')")
        connection.commit()
    return data


@pytest.fixture
def there(tmp_path: Path) -> Path:
    return tmp_path / "there"


@pytest.fixture
def archive(here: Path, tmp_path: Path) -> Path:
    return back_up(here, tmp_path / "backup.tar")
