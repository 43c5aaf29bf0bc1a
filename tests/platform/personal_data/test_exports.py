"""Exports contain all data of their user, and no one else's."""

import asyncio
import io
import json
import tempfile
import threading
from typing import Any
from zipfile import ZipFile

import pytest

from handlers.platform.personal_data.archive import run_to_completion
from handlers.platform.personal_data.service import exports
from server.outbound import LEASE_S
from storage.platform.personal_data import tables as store
from tests.platform.personal_data.life import (
    DELETED_TEXT,
    FILE_TEXT,
    SECRETS,
    UNIQUE_WORDS,
    Life,
    files_of,
    wait_for_export,
)
from tests.wire_client import Refused
from tests.world import PASSWORD, Person, both_databases, until, with_server

pytestmark = with_server

DAY_S = 86_400


async def fetch_export(life: Life, url: str) -> dict[str, bytes]:
    """The files of the zip archive, by name."""
    answer, content = await life.files.fetch(url)
    assert answer.status == 200
    assert answer.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''parley-")
    with ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


async def create_export(life: Life) -> dict[str, bytes]:
    await life.ana.call("/account", "export")
    return await fetch_export(life, (await wait_for_export(life.ana))["url"])


async def code_of(user: Person, command: str, **payload: Any) -> str:
    with pytest.raises(Refused) as refused:
        await user.call("/account", command, **payload)
    code: str = refused.value.code
    return code


async def test_an_export_contains_all_data_of_the_user_and_none_of_others(life):
    files = await create_export(life)
    everything = b"\n".join([*files.values(), *(name.encode() for name in files)]).decode(
        errors="replace"
    )
    missing = {what for what, word in UNIQUE_WORDS.items() if word not in everything}
    assert missing == set()
    assert FILE_TEXT in everything
    for name in files:
        if name.endswith(".json"):
            assert isinstance(json.loads(files[name]), list), name
            assert name in files["README.txt"].decode(), "and says what it is"
    for secret in (*SECRETS.values(), PASSWORD, DELETED_TEXT, life.ana.session["refresh_token"]):
        assert secret not in everything
    for hidden in ("argon2", "password_hash", "sealed", "token_hash", "fingerprint"):
        assert hidden not in everything.replace(files["README.txt"].decode(), "")
    for theirs in (
        life.ben.email,
        life.cora.email,
        "Ben keeps what",
        "Cora keeps",
        "of Ben to Ana",
    ):
        assert theirs not in everything


async def test_events_report_the_progress_and_the_end_of_an_export(life):
    await life.ana.enter("/account")
    asked = await life.ana.call("/account", "export", request_id="one")
    assert (asked["status"], asked["percent"], asked["size"]) == ("preparing", 0, None)
    ready = (await life.ana.event("EXPORT_READY")).data["export"]
    percents = [one.data["export"]["percent"] for one in life.ana.events("EXPORT_PROGRESSED")]
    assert percents == sorted(percents)
    assert len(set(percents)) > 10
    account = await life.ana.call("/account", "get")
    assert account["export"] == ready
    assert (ready["id"], ready["percent"]) == (asked["id"], 100)
    assert len((await life.files.fetch(account["url"]))[1]) == ready["size"]
    assert await life.ana.call("/account", "export", request_id="one") == asked
    await life.world.settle()
    kinds = [n["kind"] for n in (await life.ana.call("/notifications", "list"))["notifications"]]
    assert "export_ready" in kinds


async def test_exports_are_limited_to_one_at_a_time_and_three_a_day(life, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(life.world.app.relay, "serve", lambda queue: None)
        await life.ana.call("/account", "export")
        assert await code_of(life.ana, "export") == "EXPORT_UNDER_WAY"
    for _ in range(2):
        await life.world.settle()
        await life.ana.call("/account", "export")
    await life.world.settle()
    assert await code_of(life.ana, "export") == "RATE_LIMITED"
    assert await life.ben.call("/account", "export"), "others may"


@both_databases
async def test_one_of_two_concurrent_export_requests_succeeds(life):
    other = await life.world.another_session(life.ana)
    asked = [one.client.ask for one in (life.ana, other)]
    for one in (life.ana, other):
        await one.enter("/account")
    answers = await asyncio.gather(*(ask("/account", "export", {}) for ask in asked))
    assert sorted(answer["ok"] for answer in answers) == [False, True]
    assert {answer["error"]["code"] for answer in answers if not answer["ok"]} == {
        "EXPORT_UNDER_WAY"
    }


async def test_an_export_interrupted_by_a_stop_is_completed_after_the_start(life, monkeypatch):
    reached = asyncio.Event()

    async def hang(key: str, content_type: str, file: Any) -> None:
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(life.world.app.kernel.objects, "keep", hang)
    await life.ana.call("/account", "export")
    await reached.wait()
    await life.world.stop()
    life.world.clock.advance(LEASE_S + 1)
    await life.world.start(life.world.port)
    ana = await life.world.another_session(life.ana)
    assert "profile.json" in await fetch_export(life, (await wait_for_export(ana))["url"])
    assert len(await life.world.stored("EXPORT_READY")) == 1


async def test_an_export_needs_a_fresh_proof_and_is_private(life):
    life.world.clock.advance(601)
    assert await code_of(life.ana, "export") == "PROOF_NEEDED"
    await life.ana.call("/profile", "prove", password=PASSWORD)
    await life.ana.call("/account", "export")
    account = await wait_for_export(life.ana)
    assert (await life.ben.call("/account", "get"))["export"] is None
    unsigned = account["url"].partition("?")[0]
    assert (await life.files.fetch(unsigned))[0].status == 404
    assert not life.ben.events("EXPORT_READY")
    life.world.clock.advance(601)
    later = await life.ana.call("/account", "get")
    assert (later["export"], later["url"]) == (account["export"], None)
    await life.ana.call("/profile", "prove", password=PASSWORD)
    assert (await life.ana.call("/account", "get"))["url"]


async def test_an_export_is_deleted_after_seven_days(life):
    before = set(files_of(life.world))
    await create_export(life)
    assert set(files_of(life.world)) != before
    life.world.clock.advance(6 * DAY_S)
    await life.world.settle()
    assert (await life.ana.call("/account", "get"))["export"] is not None
    life.world.clock.advance(1 * DAY_S + 60)
    await life.world.settle()
    assert (await life.ana.call("/account", "get"))["export"] is None
    assert set(files_of(life.world)) == before
    assert await life.ana.event("EXPORT_DROPPED")


async def test_a_failed_export_is_retried_and_leaves_no_temporary_file(life, monkeypatch):
    objects = life.world.app.kernel.objects
    kept = objects.keep

    async def fail(key: str, content_type: str, file: Any) -> None:
        monkeypatch.setattr(objects, "keep", kept)
        raise OSError("the disk is full")

    monkeypatch.setattr(objects, "keep", fail)
    files = await create_export(life)
    assert "profile.json" in files
    assert not [file for file in files_of(life.world) if file.suffix == ".coming"]


async def test_an_export_dropped_while_its_instance_stops_leaves_no_file(life, monkeypatch):
    """The file is written but not recorded, and the export is dropped before it is resumed."""
    before, written = set(files_of(life.world)), asyncio.Event()
    objects = life.world.app.kernel.objects
    kept = objects.keep

    async def keep_and_hang(*args: Any) -> None:
        await kept(*args)
        written.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(objects, "keep", keep_and_hang)
    asked = await life.ana.call("/account", "export")
    await written.wait()
    await life.world.transact(drop_now, asked["id"])
    await life.world.stop()
    life.world.clock.advance(LEASE_S + 1)
    file = life.world.settings.data_dir / "files" / exports.key_of(asked["id"])
    file.touch()  # the file appears after the deletion looked for it
    await life.world.start(life.world.port)
    await life.world.settle()
    assert set(files_of(life.world)) == before


def drop_now(tx: Any, export_id: str) -> None:
    row = store.lock_export(tx, export_id)
    assert row is not None
    exports.drop(tx, row)


async def test_an_export_is_not_written_to_the_temporary_directory(life, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/no/room/there")
    assert "profile.json" in await create_export(life)


async def test_a_cancelled_write_completes_before_the_cancellation_is_raised():
    began, may_end, written = threading.Event(), threading.Event(), []

    def write() -> None:
        began.set()
        may_end.wait(5)
        written.append("a piece")

    writing = asyncio.ensure_future(run_to_completion(write))
    await until(began.is_set)
    writing.cancel()
    await asyncio.sleep(0)
    assert not writing.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert written == ["a piece"]
