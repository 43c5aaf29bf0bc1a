"""Uploads to an S3 store that checks every signature, and very large files."""

import hashlib
import io
import os
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from PIL import Image

from storage.objects import Promise
from storage.objects.s3 import PIECE
from tests.parts.ports import free_port
from tests.parts.swift import Swift
from tests.platform.uploads.uploading import (
    PART_SIZE,
    PDF,
    RestRefused,
    Uploader,
    geotagged_picture,
    picture,
    uploader,
)
from tests.world import World, one_database, until, with_server

pytestmark = [one_database, pytest.mark.timeout(180), with_server]


def settings_for(swift: Swift) -> dict[str, str]:
    """The settings of a server that stores its files in S3."""
    return {
        "PARLEY_FILES_URL": f"s3://{swift.create_bucket()}",
        "PARLEY_S3_ENDPOINT": swift.endpoint,
        "PARLEY_S3_REGION": swift.region,
        "PARLEY_S3_KEY_ID": swift.key_id,
        "PARLEY_S3_SECRET": swift.secret,
    }


@pytest.fixture
async def world(make_world, swift: Swift) -> World:
    return await make_world(**settings_for(swift))


@pytest.fixture
async def ana(world: World):
    async with uploader(world, await world.person("ana")) as one:
        yield one


async def code_of(who: Uploader, method: str, path: str, body=None) -> str:
    with pytest.raises(RestRefused) as refused:
        await who.ask(method, path, body)
    return refused.value.code


async def keys_in(world: World) -> set[str]:
    """The keys of all stored objects."""
    bucket = world.app.kernel.objects
    answer = await bucket._s3.list_objects_v2(Bucket=bucket._bucket)
    return {one["Key"] for one in answer.get("Contents", [])}


async def test_a_file_is_uploaded_to_s3_and_downloaded_from_it(world, ana, swift):
    begun = await ana.start(PDF, "application/pdf", name="Übung 1.pdf")
    assert begun["put"]["url"].startswith(swift.endpoint)
    assert await ana.put(begun["put"], PDF, **{"Content-Encoding": "gzip"}) == 200
    view = await ana.ask("POST", f"/uploads/{begun['id']}/complete")
    answer, content = await ana.fetch(view["url"])
    assert content == PDF  # without a Content-Encoding that a browser would decode
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename*=UTF-8''%C3%9Cbung%201.pdf"
    )
    answer, content = await ana.fetch(view["url"], Range="bytes=5-14")
    assert (answer.status, content) == (206, PDF[5:15])
    tampered = view["url"].replace("attachment", "inline")
    assert (await ana.fetch(tampered))[0].status == 403
    assert await keys_in(world) == {f"kept/{begun['id']}"}


async def test_s3_refuses_puts_that_differ_from_their_signature(world, ana):
    begun = await ana.start(PDF, "application/pdf")
    put = begun["put"]
    assert await ana.put(put, PDF[:-1] + b"!") == 400
    assert await ana.put(put, PDF + b"more") == 403
    assert await ana.put(put, PDF, **{"Content-Type": "text/html"}) == 403
    assert await ana.put(put, PDF, **{"x-amz-checksum-sha256": "AAAA"}) in (400, 403)
    elsewhere = {**put, "url": put["url"].replace("incoming", "kept")}
    assert await ana.put(elsewhere, PDF) == 403
    assert await code_of(ana, "POST", f"/uploads/{begun['id']}/complete") == "NOT_UPLOADED"
    assert await keys_in(world) == set()


async def test_pictures_are_re_encoded_and_files_of_a_wrong_type_deleted(world, ana):
    view = await ana.upload(geotagged_picture() + b"hidden", "image/jpeg")
    assert (view["width"], view["height"]) == (480, 640)
    _, fetched = await ana.fetch(view["url"])
    assert not Image.open(io.BytesIO(fetched)).getexif()
    assert b"hidden" not in fetched
    assert (await ana.fetch(view["thumbnail_url"]))[0].status == 200
    begun = await ana.start(picture(), "image/png")
    assert await ana.put(begun["put"], picture()) == 200
    assert await code_of(ana, "POST", f"/uploads/{begun['id']}/complete") == "CONTENT_WRONG"
    await world.settle()
    wanted = {f"pictures/{view['id']}", f"thumbnails/{view['id']}"}
    await until(lambda: keys_are(world, wanted))
    await ana.ask("DELETE", f"/uploads/{view['id']}")
    await world.settle()
    await until(lambda: keys_are(world, set()))


async def keys_are(world: World, keys: set[str]) -> bool:
    return await keys_in(world) == keys


async def test_incomplete_multipart_uploads_are_aborted(world, ana):
    content = bytes(17 * 1024**2)
    begun = await ana.start(content, "application/zip")
    assert await ana.put_part(begun["id"], 1, content[:PART_SIZE]) == 200
    bucket = world.app.kernel.objects
    world.clock.advance(86_401)
    await world.settle()

    async def no_upload_is_pending() -> bool:
        answer = await bucket._s3.list_multipart_uploads(Bucket=bucket._bucket)
        return not answer.get("Uploads")

    await until(no_upload_is_pending)


async def test_multipart_uploads_of_a_stopped_instance_are_aborted(world):
    bucket = world.app.kernel.objects

    async def waiting() -> list[str]:
        answer = await bucket._s3.list_multipart_uploads(Bucket=bucket._bucket)
        return [one["Key"] for one in answer.get("Uploads", [])]

    parts_id = await bucket.begin_parts("exports/x", "application/zip")
    part = {"UploadId": parts_id, "PartNumber": 1, "Body": b"half of what is kept of somebody"}
    await bucket._s3.upload_part(Bucket=bucket._bucket, Key="exports/x", **part)
    world.clock.move_to(datetime.now(UTC))  # the store has its own clock
    await world.app.housekeeping.tidy()
    assert await waiting() == ["exports/x"], "it may be on its way"
    world.clock.move_to(datetime.now(UTC) + timedelta(hours=26, minutes=1))
    await world.app.housekeeping.tidy()
    assert await waiting() == []


async def test_an_unreachable_store_is_unavailable_and_the_upload_waits(make_world):
    endpoint = f"http://127.0.0.1:{free_port()}"
    world = await make_world(
        PARLEY_FILES_URL="s3://nowhere",
        PARLEY_S3_ENDPOINT=endpoint,
        PARLEY_S3_KEY_ID="k",
        PARLEY_S3_SECRET="s",
    )
    async with uploader(world, await world.person("ana")) as ana:
        begun = await ana.start(PDF, "application/pdf")
        with pytest.raises(RestRefused) as refused:
            await ana.ask("POST", f"/uploads/{begun['id']}/complete")
        assert (refused.value.status, refused.value.code) == (503, "UNAVAILABLE")
        assert (await ana.ask("GET", f"/uploads/{begun['id']}"))["status"] == "waiting"


# Two hundred megabytes over a connection that breaks three times.


class BreakingBody:
    """A request body that breaks off halfway, as when a phone loses its network."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self):
        yield self._content[: len(self._content) // 2]
        raise ConnectionResetError("the network is gone")


async def put_part(who: Uploader, upload_id: str, number: int, part: bytes, breaks: bool) -> bool:
    digest = hashlib.sha256(part).hexdigest()
    signed = await who.ask("POST", f"/uploads/{upload_id}/parts/{number}", {"sha256": digest})
    if not breaks:
        return await who.put(signed, part) == 200
    headers = {**signed["headers"], "Content-Length": str(len(part))}
    with pytest.raises((aiohttp.ClientError, ConnectionError)):
        async with who.http.put(signed["url"], data=BreakingBody(part), headers=headers):
            pass
    return False


@pytest.mark.parametrize("store", ["folder", "s3"])
async def test_a_large_upload_resumes_after_three_broken_connections(make_world, swift, store):
    port = free_port()
    more = settings_for(swift) if store == "s3" else {}
    world = await make_world(port=port, PARLEY_PUBLIC_URL=f"http://127.0.0.1:{port}", **more)
    piece = os.urandom(1024**2)
    content = b"PK\x03\x04" + piece * 200
    async with uploader(world, await world.person("ana")) as ana:
        begun = await ana.start(content, "application/zip")
        count, broken = -(-len(content) // PART_SIZE), {3, 11, 20}
        while missing := await missing_of(ana, begun["id"], count):
            for number in missing:
                part = content[(number - 1) * PART_SIZE : number * PART_SIZE]
                if not await put_part(ana, begun["id"], number, part, number in broken):
                    broken.remove(number)
                    break  # the client reconnects and asks which parts exist
        assert not broken
        view = await ana.ask("POST", f"/uploads/{begun['id']}/complete")
        assert (view["status"], view["size"]) == ("ready", len(content))
        assert await digest_of(ana, view["url"]) == hashlib.sha256(content).hexdigest()


async def missing_of(who: Uploader, upload_id: str, count: int) -> list[int]:
    there = (await who.ask("GET", f"/uploads/{upload_id}"))["parts"]
    return [number for number in range(1, count + 1) if number not in there]


async def digest_of(who: Uploader, url: str) -> str:
    digest = hashlib.sha256()
    async with who.http.get(url) as answer:
        async for chunk in answer.content.iter_chunked(2**20):
            digest.update(chunk)
    return digest.hexdigest()


async def test_the_signature_of_a_put_includes_its_length(world, ana, swift):
    """A checksum alone would let anybody fill the store with data that is then refused."""
    promise = Promise("application/pdf", len(PDF), hashlib.sha256(PDF).hexdigest())
    signed = await world.app.kernel.objects.sign_put("incoming/x", promise)
    for name in ("content-length", "content-type", "x-amz-checksum-sha256"):
        assert name in signed.url.lower()


async def test_a_public_picture_answers_head_with_an_address_signed_for_it(world, ana):
    view = await ana.upload(picture(), "image/jpeg")
    await ana.person.call("/profile", "set_picture", upload_id=view["id"])
    for query in ("", "?small"):
        url = f"{world.url}/pictures/{view['id']}{query}"
        _, content = await ana.fetch(url)
        async with ana.http.head(url, allow_redirects=True) as answer:
            assert (answer.status, answer.content_length) == (200, len(content))


async def test_a_large_file_is_stored_in_parts_and_downloaded(world, ana):
    """Exports are stored like this, because they can be larger than the memory."""
    bucket = world.app.kernel.objects
    content = os.urandom(PIECE + 5)
    with io.BytesIO(content) as file:
        file.seek(7)  # the position where a writer left off does not matter
        await bucket.keep("exports/one", "application/zip", file)
    answer, fetched = await ana.fetch(
        await bucket.sign_get("exports/one", "a.zip", "application/zip")
    )
    assert answer.status == 200
    assert fetched == content
    assert await keys_in(world) == {"exports/one"}
