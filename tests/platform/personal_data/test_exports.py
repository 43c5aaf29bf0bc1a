"""What a person is given: all that is kept of them, and nothing of anybody else."""

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
    FOUND_EVERYWHERE,
    IN_FILES,
    SECRETS,
    TAKEN_BACK,
    Life,
    files_of,
    prepared,
)
from tests.wire_client import Refused
from tests.world import PASSWORD, Person, both_databases, until, with_server

pytestmark = with_server

DAY_S = 86_400


async def fetched(life: Life, url: str) -> dict[str, bytes]:
    """The files of the zip, by their names."""
    answer, content = await life.files.fetch(url)
    assert answer.status == 200
    assert answer.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''parley-")
    with ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


async def exported(life: Life) -> dict[str, bytes]:
    await life.ana.call("/account", "export")
    return await fetched(life, (await prepared(life.ana))["url"])


async def code_of(who: Person, command: str, **payload: Any) -> str:
    with pytest.raises(Refused) as refused:
        await who.call("/account", command, **payload)
    code: str = refused.value.code
    return code


async def test_an_export_has_everything_that_is_hers_and_nothing_that_is_not(life):
    files = await exported(life)
    everything = b"\n".join([*files.values(), *(name.encode() for name in files)]).decode(
        errors="replace"
    )
    missing = {what for what, word in FOUND_EVERYWHERE.items() if word not in everything}
    assert missing == set()
    assert IN_FILES in everything
    for name in files:
        if name.endswith(".json"):
            assert isinstance(json.loads(files[name]), list), name
            assert name in files["README.txt"].decode(), "and says what it is"
    for secret in (*SECRETS.values(), PASSWORD, TAKEN_BACK, life.ana.session["refresh_token"]):
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


async def test_it_is_told_how_far_it_is_and_that_it_is_ready(life):
    await life.ana.enter("/account")
    asked = await life.ana.call("/account", "export", request_id="one")
    assert (asked["status"], asked["percent"], asked["size"]) == ("preparing", 0, None)
    ready = (await life.ana.event("EXPORT_READY")).data["export"]
    told = [one.data["export"]["percent"] for one in life.ana.events("EXPORT_PROGRESSED")]
    assert told == sorted(told)
    assert len(set(told)) > 10
    account = await life.ana.call("/account", "get")
    assert account["export"] == ready
    assert (ready["id"], ready["percent"]) == (asked["id"], 100)
    assert len((await life.files.fetch(account["url"]))[1]) == ready["size"]
    assert await life.ana.call("/account", "export", request_id="one") == asked
    await life.world.settle()
    kinds = [n["kind"] for n in (await life.ana.call("/notifications", "list"))["notifications"]]
    assert "export_ready" in kinds


async def test_one_at_a_time_and_a_few_a_day(life, monkeypatch):
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
async def test_of_two_that_are_asked_for_at_once_one_is_made(life):
    other = await life.world.another_session(life.ana)
    asked = [one.client.ask for one in (life.ana, other)]
    for one in (life.ana, other):
        await one.enter("/account")
    answers = await asyncio.gather(*(ask("/account", "export", {}) for ask in asked))
    assert sorted(answer["ok"] for answer in answers) == [False, True]
    assert {answer["error"]["code"] for answer in answers if not answer["ok"]} == {
        "EXPORT_UNDER_WAY"
    }


async def test_one_that_a_stopped_instance_had_begun_is_made_by_another(life, monkeypatch):
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
    assert "profile.json" in await fetched(life, (await prepared(ana))["url"])
    assert len(await life.world.stored("EXPORT_READY")) == 1


async def test_it_needs_a_fresh_proof_and_is_nobody_elses(life):
    life.world.clock.advance(601)
    assert await code_of(life.ana, "export") == "PROOF_NEEDED"
    await life.ana.call("/profile", "prove", password=PASSWORD)
    await life.ana.call("/account", "export")
    account = await prepared(life.ana)
    assert (await life.ben.call("/account", "get"))["export"] is None
    unsigned = account["url"].partition("?")[0]
    assert (await life.files.fetch(unsigned))[0].status == 404
    assert not life.ben.events("EXPORT_READY")
    life.world.clock.advance(601)
    later = await life.ana.call("/account", "get")
    assert (later["export"], later["url"]) == (account["export"], None)
    await life.ana.call("/profile", "prove", password=PASSWORD)
    assert (await life.ana.call("/account", "get"))["url"]


async def test_an_export_goes_after_its_days(life):
    before = set(files_of(life.world))
    await exported(life)
    assert set(files_of(life.world)) != before
    life.world.clock.advance(6 * DAY_S)
    await life.world.settle()
    assert (await life.ana.call("/account", "get"))["export"] is not None
    life.world.clock.advance(1 * DAY_S + 60)
    await life.world.settle()
    assert (await life.ana.call("/account", "get"))["export"] is None
    assert set(files_of(life.world)) == before
    assert await life.ana.event("EXPORT_DROPPED")


async def test_one_that_cannot_be_made_is_made_when_it_can_and_leaves_nothing(life, monkeypatch):
    objects = life.world.app.kernel.objects
    kept = objects.keep

    async def fail(key: str, content_type: str, file: Any) -> None:
        monkeypatch.setattr(objects, "keep", kept)
        raise OSError("the disk is full")

    monkeypatch.setattr(objects, "keep", fail)
    files = await exported(life)
    assert "profile.json" in files
    assert not [file for file in files_of(life.world) if file.suffix == ".coming"]


async def test_one_that_was_dropped_when_an_instance_stopped_leaves_no_file(life, monkeypatch):
    """It was written and not yet said so; by the time that another goes on, its days are over."""
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
    file.touch()  # it came to be there after the deletion had looked
    await life.world.start(life.world.port)
    await life.world.settle()
    assert set(files_of(life.world)) == before


def drop_now(tx: Any, export_id: str) -> None:
    row = store.lock_export(tx, export_id)
    assert row is not None
    exports.drop(tx, row)


async def test_it_is_written_to_the_disk_and_not_to_where_there_may_be_memory_only(
    life, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", "/no/room/there")
    assert "profile.json" in await exported(life)


async def test_a_piece_that_is_being_written_is_written_before_its_file_is_closed():
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
