"""Backup and restore with PostgreSQL work as docs/BACKUP.md describes."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from tests.parts.postgres import find_binaries
from tests.server.backup.folders import CONTENTS, contents_of, put_files, run
from tests.world import environ_of


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
class TestPostgres:
    @pytest.fixture
    def environ(self, database_url: str, tmp_path: Path) -> dict[str, str]:
        return environ_of(tmp_path / "data", database_url)

    async def test_the_documented_procedure_restores_the_rows_and_the_files(
        self, environ, database_url, tmp_path, process_of, make_database, postgres_programs
    ):
        process = await process_of(database_url)
        ana = await process.sign_up("ana")
        await ana.enter("/profile")
        epoch = ana.client.synced["/profile"]["epoch"]
        put_files(tmp_path / "data" / "files", CONTENTS)
        dump, files, empty = tmp_path / "dump", tmp_path / "files.tar", make_database("restored")
        postgres_programs("pg_dump", "--format=custom", f"--file={dump}", plain(database_url))
        assert (await run(environ, "backup", "--files-only", files))[0] == 0
        assert await asyncio.to_thread(process.stop) == 0

        postgres_programs(
            "pg_restore", "--exit-on-error", "--no-owner", f"--dbname={plain(empty)}", dump
        )
        there = {**process.environ, "PARLEY_DATABASE_URL": empty}
        there["PARLEY_DATA_DIR"] = str(tmp_path / "there")
        for command in (("restore", files), ("renew-epoch",)):
            code, _, err = await run(there, *command)
            assert code == 0, err
        assert contents_of(tmp_path / "there" / "files") == CONTENTS
        process.environ = there
        await process.start()
        back = await process.connect(ana.token)
        await back.enter("/profile", since={f"user:{ana.id}": 1}, epoch=epoch)
        assert not any(one["recovered"] for one in back.synced["/profile"]["rooms"].values())
        assert (await back.call("/profile", "me"))["id"] == ana.id

    async def test_postgresql_rows_are_not_in_an_archive(self, environ, archive, tmp_path):
        code, _, err = await run(environ, "backup", tmp_path / "no.tar")
        assert (code, "pg_dump" in err) == (1, True)
        code, _, err = await run(environ, "restore", archive)
        assert (code, "PostgreSQL" in err) == (1, True)


def plain(url: str) -> str:
    return url.replace("+asyncpg", "")


@pytest.fixture
def postgres_programs():
    """`postgres_programs("pg_dump", ...)` runs one of PostgreSQL's programs."""

    def run_one(name: str, *args: str | Path) -> None:
        folder = find_binaries()
        subprocess.run([folder / name, *args], check=True, capture_output=True)

    return run_one
