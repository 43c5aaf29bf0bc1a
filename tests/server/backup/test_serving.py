"""A backup while an instance serves, and the restored instance."""

import asyncio
import hashlib
import itertools
import os
import sqlite3
import stat
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.platform.chat.scenes import say, texts
from tests.platform.uploads.uploading import PDF, Uploader, uploader
from tests.server.backup.folders import database_in, run
from tests.world import Person, Process, environ_of, until

BEFORE = 30
"""The number of messages acknowledged before the backup starts."""


@pytest.fixture
async def start(tmp_path: Path):
    """`await start("here")` starts a process with the data folder of this name."""
    async with AsyncExitStack() as stack:

        async def start_one(name: str) -> Process:
            data = tmp_path / name
            environ = environ_of(data, f"sqlite:///{data}/parley.db")
            del environ["PARLEY_SECRET"]
            process = Process(environ, data)
            process.environ["PARLEY_PUBLIC_URL"] = process.url
            stack.push_async_callback(process.close)
            return await process.start()

        yield start_one


class Crowd:
    """A user who sends messages, and one who uploads and deletes files, until the exit."""

    def __init__(self, ana: Person, files: Uploader, group: str) -> None:
        self.said: list[str] = []
        self.kept: dict[str, bytes] = {}
        self._ana = ana
        self._files = files
        self._group = group
        self._stop = False

    async def __aenter__(self) -> "Crowd":
        self._tasks = [asyncio.create_task(work()) for work in (self._write, self._upload)]
        return self

    async def __aexit__(self, *error: object) -> None:
        self._stop = True
        await asyncio.gather(*self._tasks)

    async def _write(self) -> None:
        while not self._stop:
            text = f"text {len(self.said)}"
            await say(self._ana, self._group, text)
            self.said.append(text)

    async def _upload(self) -> None:
        for number in itertools.count():
            if self._stop:
                return
            content = PDF + os.urandom(8)
            view = await self._files.upload(content, "application/pdf")
            self.kept[view["id"]] = content
            if number % 2:
                first = next(iter(self.kept))
                del self.kept[first]
                await self._files.ask("DELETE", f"/uploads/{first}")


def list_wrong_files(data: Path) -> list[str]:
    """The ready uploads whose content does not match their rows."""
    with closing(sqlite3.connect(database_in(data))) as connection:
        rows = connection.execute(
            "SELECT key, size, sha256 FROM uploads WHERE status = 'ready'"
        ).fetchall()
    assert rows
    read = ((key, size, sha256, data / "files" / key) for key, size, sha256 in rows)
    return [
        key
        for key, size, sha256, path in read
        if not path.is_file()
        or (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()) != (size, sha256)
    ]


async def rejoin(process: Process, token: str, group: str, seq: int, epoch: str) -> Any:
    client = await process.connect(token)
    await client.enter("/chat", since={f"chat:{group}": seq}, epoch=epoch)
    return client.synced["/chat"]["rooms"][f"chat:{group}"]


async def test_a_backup_during_writes_and_uploads_is_complete_and_serves_elsewhere(start, tmp_path):
    process, file = await start("here"), tmp_path / "backup.tar"
    ana = await process.sign_up("ana")
    await ana.enter("/chat")
    epoch = ana.client.synced["/chat"]["epoch"]
    opened = await ana.call("/chat", "create_group", name="Notes", member_ids=[ana.id])
    group = opened["id"]
    async with uploader(process, ana) as files, Crowd(ana, files, group) as crowd:
        await until(lambda: len(crowd.said) >= BEFORE and len(crowd.kept) >= 3, within_s=40)
        acknowledged = list(crowd.said)
        code, _, err = await run(process.environ, "backup", file)
        assert code == 0, err
        said_at_the_end = len(crowd.said)
    assert said_at_the_end > len(acknowledged), "nobody waited for the backup"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert await asyncio.to_thread(process.stop) == 0

    elsewhere = {**process.environ, "PARLEY_DATA_DIR": str(tmp_path / "there")}
    elsewhere["PARLEY_DATABASE_URL"] = f"sqlite:///{tmp_path}/there/parley.db"
    code, _, err = await run(elsewhere, "restore", file)
    assert code == 0, err
    assert list_wrong_files(tmp_path / "there") == []

    second = await start("there")
    entry = await rejoin(second, ana.token, group, 2, epoch)
    assert entry["recovered"] is False, "the epoch is another one"
    back = Person(second, "ana", ana.session, await second.connect(ana.token))
    there = await back.call("/chat", "history", conversation_id=group, limit=1)
    head: int = there["seq"]
    assert head == entry["seq"] >= 1 + len(acknowledged), "what was acknowledged is there"
    assert (await texts(back, group, limit=1)) == [f"text {head - 2}"]
    await say(back, group, "after the restore")
    heard = await back.event("MESSAGE_SENT")
    assert heard.meta["seq"] == head + 1, "numbers go on where the backup was"


async def test_a_folder_in_use_is_not_restored_into(start, tmp_path, archive):
    process = await start("served")
    code, out, err = await run(process.environ, "restore", archive, "--replace")
    assert (code, out) == (1, "")
    assert err.startswith("parley: cannot restore: another instance already uses ")
    assert err.count("\n") == 1
