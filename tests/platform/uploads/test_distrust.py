"""Manipulated URLs, late checks and writes, and full disks do no harm."""

import asyncio
import errno
import threading
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from yarl import URL

from handlers.kit.errors import RateLimited
from handlers.kit.keys import Keys
from handlers.platform.uploads import service
from storage.objects import ObjectsUnavailable, folder
from storage.objects.folder import Folder
from tests.platform.uploads.test_uploads import code_of, files_of
from tests.platform.uploads.uploading import PDF, RestRefused, Uploader, picture
from tests.world import SECRET, World, one_database, until, with_server

pytestmark = with_server


@one_database
async def test_a_signed_url_with_a_repeated_parameter_is_refused(ana):
    begun = await ana.start(PDF, "application/pdf")
    view = await ana.upload(PDF, "application/pdf")
    for more in ("until=99999999999", "size=9999999", "type=text/html", "name=evil.html"):
        for signed, method in ((begun["put"]["url"], "PUT"), (view["url"], "GET")):
            place, _, query = signed.partition("?")
            headers = begun["put"]["headers"] if method == "PUT" else {}
            url = f"{place}?{more}&{query}"
            async with ana.http.request(method, url, headers=headers) as answer:
                assert answer.status == 404, (more, method)


@one_database
async def test_a_signed_url_with_other_parameter_boundaries_is_refused(world, ana):
    """The characters stay, but names and values are separated elsewhere, or names differ."""
    begun = await ana.start(PDF, "application/pdf")
    view = await ana.upload(PDF, "application/pdf", name="a=b.pdf")
    put, get = begun["put"]["url"], view["url"]
    for method, url, old, new in (
        ("PUT", put, "size=", "size%3D"),
        ("PUT", put, "&size=", "%0Asize%3D"),
        ("PUT", put, "&size=", "%00size%3D"),
        ("PUT", put, "sha256=", "sha256%3D"),
        ("PUT", put, "type=", "type%00="),
        ("PUT", put, "size=", "size=0"),
        ("PUT", put, "size=", "more=1&size="),
        ("GET", get, "name=", "name%3D"),
        ("GET", get, "name=a%3Db", "name%3Da=b"),
        ("GET", get, "&type=", "%00type%3D"),
        ("GET", get, "name=", "nam=e"),
        ("GET", get, "until=", "until=%D9%A3"),
        ("GET", get, "signature=", "signature=%ED%A0%80"),
        ("GET", put, "type", "type"),
        ("PUT", get, "type", "type"),
    ):
        assert old in url
        odd = URL(url.replace(old, new, 1), encoded=True)
        async with ana.http.request(method, odd) as answer:
            assert answer.status == 404, (method, old, new)


def test_malformed_parameters_are_refused_even_with_a_valid_signature(tmp_path):
    """The format is checked even if the server itself signed the request."""
    store = Folder(tmp_path, "https://parley.example", Keys(SECRET).fingerprint)
    good = {"type": "t", "size": "1", "sha256": "0" * 64, "until": "99999999999"}
    for wrong in ({}, {"size": "-1"}, {"size": "\u0663"}, {"size": "9" * 16}, {"sha256": "x"}):
        query = {**good, **wrong}
        query["signature"] = store._signature("PUT", "incoming/x", query)
        assert store.is_signed("PUT", "incoming/x", query) is (wrong == {}), wrong


@one_database
async def test_a_check_that_lost_its_lease_has_no_effect(world, ana, monkeypatch):
    begun = await ana.start(picture(), "image/jpeg")
    await ana.put(begun["put"], picture())
    path = f"/uploads/{begun['id']}/complete"
    objects, reading, go = world.app.kernel.objects, asyncio.Event(), asyncio.Event()
    size_of = objects.size_of

    async def wait(key: str) -> Any:
        found = await size_of(key)
        if key.startswith("kept/") and found is not None and not reading.is_set():
            reading.set()
            await go.wait()
            return 1  # an outdated size
        return found

    monkeypatch.setattr(objects, "size_of", wait)
    late = asyncio.create_task(ana.ask("POST", path))
    await reading.wait()
    assert await code_of(ana, "POST", path) == "CONFLICT"
    world.clock.advance(service.CHECK_LEASE.total_seconds() + 1)
    view = await ana.ask("POST", path)
    go.set()
    with pytest.raises(RestRefused) as refused:
        await late
    assert refused.value.code == "CONFLICT"
    assert (await ana.ask("GET", f"/uploads/{begun['id']}"))["status"] == "ready"
    assert (await ana.fetch(view["url"]))[0].status == 200


@one_database
async def test_a_put_for_a_deleted_or_complete_upload_is_refused(world, ana):
    gone = await ana.start(PDF, "application/pdf")
    await ana.ask("DELETE", f"/uploads/{gone['id']}")
    assert await ana.put(gone["put"], PDF) == 404
    ready = await ana.start(PDF, "application/pdf")
    await ana.put(ready["put"], PDF)
    await ana.ask("POST", f"/uploads/{ready['id']}/complete")
    assert await ana.put(ready["put"], PDF) == 404
    assert files_of(world) == {f"kept/{ready['id']}"}


@one_database
async def test_a_new_put_replaces_unfinished_puts_of_the_same_upload(world, ana):
    begun = await ana.start(PDF, "application/pdf")
    going_on = asyncio.Event()

    async def half() -> AsyncIterator[bytes]:
        yield PDF[:100]
        await going_on.wait()
        yield PDF[100:]

    stalled, seen = [], set()
    for _ in range(4):
        stalled.append(asyncio.create_task(ana.put(begun["put"], half())))
        await until(lambda: files_of(world) - seen)
        seen.update(files_of(world))
    await until(lambda: len(files_of(world)) == 1)
    assert await ana.put(begun["put"], PDF) == 200
    going_on.set()
    assert 200 not in await asyncio.gather(*stalled, return_exceptions=True)
    assert files_of(world) == {f"incoming/{begun['id']}"}
    assert (await ana.ask("POST", f"/uploads/{begun['id']}/complete"))["status"] == "ready"


@one_database
async def test_a_file_written_after_its_upload_was_deleted_is_swept(world, ana):
    begun = await ana.start(PDF, "application/pdf")
    await ana.ask("DELETE", f"/uploads/{begun['id']}")
    await world.settle()
    await world.app.kernel.objects.write(f"incoming/{begun['id']}", "application/pdf", PDF)
    world.clock.advance(service.LATE_WRITES_WITHIN.total_seconds() + 1)
    await world.settle()
    await until(lambda: files_of(world) == set())


@one_database
async def test_a_file_in_use_is_not_deleted(world, ana):
    view = await ana.upload(picture(), "image/jpeg")
    await ana.person.call("/profile", "set_picture", upload_id=view["id"])
    assert await code_of(ana, "DELETE", f"/uploads/{view['id']}") == "CONFLICT"
    world.clock.advance(86_401)
    await world.settle()
    assert (await ana.ask("GET", f"/uploads/{view['id']}"))["status"] == "ready"


@one_database
async def test_a_full_disk_is_reported_and_leaves_no_file(world, ana, monkeypatch):
    begun = await ana.start(PDF, "application/pdf")

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "no room")

    with monkeypatch.context() as patched:
        patched.setattr(folder, "_sync_and_rename", fail)
        assert await ana.put(begun["put"], PDF) == 503
    assert files_of(world) == set()
    assert await ana.put(begun["put"], PDF) == 200


def answers_to_puts(world: World) -> set[str]:
    [counted] = world.app.metrics.commands.collect()
    labels = [set(sample.labels.values()) for sample in counted.samples]
    return {one for each in labels if any("PUT" in name for name in each) for one in each}


@one_database
async def test_a_broken_connection_is_not_a_server_error(world, ana, caplog):
    begun = await ana.start(PDF, "application/pdf")
    signed = urlsplit(begun["put"]["url"])
    head = f"PUT {signed.path}?{signed.query} HTTP/1.1\r\nHost: {signed.netloc}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in begun["put"]["headers"].items())
    head += "" if "Content-Length" in begun["put"]["headers"] else f"Content-Length: {len(PDF)}\r\n"
    _, writer = await asyncio.open_connection(signed.hostname, signed.port)
    writer.write(f"{head}\r\n".encode() + PDF[:20])
    await until(lambda: len(files_of(world)) == 1)
    writer.close()
    await until(lambda: not files_of(world))
    await until(lambda: "400" in answers_to_puts(world))
    assert [one.getMessage() for one in caplog.records if one.levelname == "ERROR"] == []
    assert await ana.put(begun["put"], PDF) == 200


async def test_an_upload_cancelled_while_its_file_is_created_leaves_no_file(tmp_path, monkeypatch):
    store = folder.Folder(tmp_path, "http://localhost", lambda *_: "")
    started, may_create, created = threading.Event(), threading.Event(), []
    create = folder._create

    def create_late(path: Any) -> Any:
        started.set()
        may_create.wait(10)
        created.append(create(path))
        return created[0]

    monkeypatch.setattr(folder, "_create", create_late)
    upload = asyncio.create_task(store.write("incoming/u", "a/b", b"content"))
    await until(started.is_set)
    upload.cancel()
    may_create.set()
    with pytest.raises(asyncio.CancelledError):
        await upload
    assert created[0].closed
    assert not list(tmp_path.rglob("*.coming"))


async def test_joining_parts_on_a_full_disk_leaves_no_partial_file(tmp_path, monkeypatch):
    store = folder.Folder(tmp_path, "http://localhost", lambda *_: "")
    for number in (1, 2):
        await store.write(f"incoming/u.parts/{number:05}", "a/b", bytes([number]))

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "no room")

    with monkeypatch.context() as patched:
        patched.setattr(folder, "_sync_and_rename", fail)
        with pytest.raises(ObjectsUnavailable):
            await store.join_parts("incoming/u", "parts")
    assert not list(tmp_path.rglob("*.coming"))
    await asyncio.gather(*(store.join_parts("incoming/u", "parts") for _ in range(2)))
    assert store.path_of("incoming/u").read_bytes() == b"\1\2"


async def test_parts_deleted_during_a_second_joining_do_not_damage_the_file(tmp_path, monkeypatch):
    store = folder.Folder(tmp_path, "http://localhost", lambda *_: "")
    for number in (1, 2):
        await store.write(f"incoming/u.parts/{number:05}", "a/b", bytes([number]))
    delete = folder.shutil.rmtree

    def join_again_and_delete(path: Any, **how: Any) -> None:
        """Join the parts again after the first one was deleted."""
        with monkeypatch.context() as patched:
            patched.setattr(folder.shutil, "rmtree", delete)
            (path / "00001").unlink()
            folder._join(store.path_of("incoming/u.parts"), store.path_of("incoming/u"))
        delete(path, **how)

    monkeypatch.setattr(folder.shutil, "rmtree", join_again_and_delete)
    await store.join_parts("incoming/u", "parts")
    assert store.path_of("incoming/u").read_bytes() == b"\1\2"


@one_database
async def test_slow_checks_of_one_user_do_not_delay_other_users(world, ana, ben, monkeypatch):
    begun = [await ana.start(PDF, "application/pdf") for _ in range(4)]
    for one in begun:
        assert await ana.put(one["put"], PDF) == 200
    read, reading, go = world.app.kernel.objects.read, [], asyncio.Event()

    async def read_slowly(key: str) -> AsyncIterator[bytes]:
        if any(key.endswith(one["id"]) for one in begun):
            reading.append(key)
            await go.wait()
        async for chunk in read(key):
            yield chunk

    monkeypatch.setattr(world.app.kernel.objects, "read", read_slowly)
    paths = [f"/uploads/{one['id']}/complete" for one in begun]
    waiting = [asyncio.create_task(ana.ask("POST", path)) for path in paths]
    await until(lambda: world.app.kernel.checks.waiting == 3)
    assert (await ben.upload(PDF, "application/pdf"))["status"] == "ready"
    assert (await ben.upload(picture(), "image/jpeg"))["status"] == "ready"
    assert len(reading) == 1, "one of hers at a time"
    go.set()
    assert [view["status"] for view in await asyncio.gather(*waiting)] == ["ready"] * 4


@one_database
async def test_a_rate_limited_check_can_be_repeated(world, ana, monkeypatch):
    begun = await ana.start(picture(), "image/jpeg")
    await ana.put(begun["put"], picture())
    path = f"/uploads/{begun['id']}/complete"

    async def refuse(*_: Any) -> Any:
        raise RateLimited(retry_after_s=3)

    with monkeypatch.context() as patched:
        patched.setattr(world.app.kernel.sandbox, "run", refuse)
        assert await code_of(ana, "POST", path) == "RATE_LIMITED"
    assert (await ana.ask("POST", path))["status"] == "ready"


@one_database
async def test_text_files_may_begin_like_binary_formats(ana):
    for text in (b"BMW and others\n", b"MZ is a country code", b"%!PS is said of PostScript"):
        assert (await ana.upload(text, "text/plain"))["kind"] == "file"


@one_database
async def test_malformed_paths_and_bodies_get_client_errors(world: World, ana: Uploader):
    headers = {"Authorization": f"Bearer {ana.person.token}"}
    for method, path, body in (
        ("GET", "/uploads/%00", None),
        ("GET", "/pictures/%00", None),
        ("GET", "/files/incoming/..%2f..%2fparley.db?signature=x&until=9", None),
        ("PUT", "/files/incoming/x", b"x"),
        ("POST", "/uploads", b"[" * 20_000),
        ("POST", "/uploads", b"\xff"),
        ("POST", "/uploads", b""),
        ("PATCH", "/uploads", b""),
    ):
        async with ana.http.request(
            method, f"{world.url}{path}", data=body, headers=headers
        ) as answer:
            assert 400 <= answer.status < 500, (method, path, answer.status)
