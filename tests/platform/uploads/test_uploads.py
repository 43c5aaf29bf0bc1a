"""Uploads are signed, put, checked and downloaded; wrong claims about them are refused."""

import asyncio
import hashlib
import io
from urllib.parse import parse_qsl, urlencode, urlsplit

import pillow_heif
import pytest
from PIL import Image

from storage.objects import folder
from tests.platform.uploads.uploading import (
    PART_SIZE,
    PDF,
    RestRefused,
    Uploader,
    geotagged_picture,
    parts_of,
    picture,
)
from tests.world import World, both_databases, one_database, until, with_server

pytestmark = with_server


async def code_of(who: Uploader, method: str, path: str, body=None) -> str:
    with pytest.raises(RestRefused) as refused:
        await who.ask(method, path, body)
    return refused.value.code


def files_of(world: World) -> set[str]:
    """The keys of all stored objects."""
    folder = world.settings.data_dir / "files"
    return {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()}


async def test_a_file_is_uploaded_and_downloaded(world, ana):
    begun = await ana.start(PDF, "application/pdf", name="Übung 1.pdf")
    assert (begun["status"], begun["kind"], begun["url"]) == ("waiting", "file", None)
    assert await ana.put(begun["put"], PDF) == 200
    view = await ana.ask("POST", f"/uploads/{begun['id']}/complete")
    assert (view["status"], view["size"], view["put"]) == ("ready", len(PDF), None)
    answer, content = await ana.fetch(view["url"])
    assert content == PDF
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename*=UTF-8''%C3%9Cbung%201.pdf"
    )
    again = await ana.ask("POST", f"/uploads/{begun['id']}/complete")
    assert again | {"url": ""} == view | {"url": ""}
    assert files_of(world) == {f"kept/{begun['id']}"}
    completed = await world.stored("UPLOAD_COMPLETED")
    assert [one["upload_id"] for one in completed] == [begun["id"]]


@one_database
async def test_a_byte_range_is_served_as_partial_content(ana):
    view = await ana.upload(PDF, "application/pdf")
    answer, content = await ana.fetch(view["url"], Range="bytes=5-14")
    assert (answer.status, content) == (206, PDF[5:15])
    assert answer.headers["Content-Range"] == f"bytes 5-14/{len(PDF)}"
    answer, content = await ana.fetch(view["url"], Range=f"bytes={len(PDF)}-")
    assert answer.status == 416


@one_database
@pytest.mark.parametrize("value", ["bytes=0-3,5-6", "lines=1-2", "bytes=a-b", "bytes=-0", "bytes="])
async def test_an_unsupported_range_is_ignored(ana, value):
    view = await ana.upload(PDF, "application/pdf")
    answer, content = await ana.fetch(view["url"], Range=value)
    assert (answer.status, content, answer.headers.get("Content-Range")) == (200, PDF, None)


@one_database
async def test_a_suffix_range_is_served(ana):
    view = await ana.upload(PDF, "application/pdf")
    answer, content = await ana.fetch(view["url"], Range="bytes=-5")
    assert (answer.status, content) == (206, PDF[-5:])


# Requests and files that differ from what was announced.


@one_database
async def test_a_put_that_differs_from_its_signature_stores_nothing(world, ana):
    begun = await ana.start(PDF, "application/pdf")
    put = begun["put"]
    other = PDF[:-1] + b"!"
    assert await ana.put(put, other) == 400
    assert await ana.put(put, PDF + b"more") == 400
    assert await ana.put(put, PDF[:-5]) == 400
    assert await ana.put(put, PDF, **{"Content-Type": "text/html"}) == 404
    assert await ana.put(put, chunks(PDF + b"more")) == 400
    for name, value in (
        *(("type", "text/html"), ("size", "9"), ("sha256", "0" * 64), ("until", "99999999999")),
        *(("signature", "0" * 64), ("more", "x")),
    ):
        assert await ana.put({**put, "url": with_query(put["url"], name, value)}, PDF) == 404
    moved = put["url"].replace(f"incoming/{begun['id']}", "kept/elsewhere")
    assert await ana.put({**put, "url": moved}, PDF) == 404
    assert (await ana.fetch(put["url"]))[0].status == 404
    assert files_of(world) == set()
    assert await code_of(ana, "POST", f"/uploads/{begun['id']}/complete") == "NOT_UPLOADED"
    assert await ana.put(put, PDF) == 200
    assert (await ana.ask("POST", f"/uploads/{begun['id']}/complete"))["status"] == "ready"


def with_query(url: str, name: str, value: str) -> str:
    parts = urlsplit(url)
    return parts._replace(query=urlencode({**dict(parse_qsl(parts.query)), name: value})).geturl()


async def chunks(content: bytes):
    """Yield the content as a stream of unknown length."""
    yield content


@one_database
async def test_a_signed_request_is_valid_for_five_minutes(world, ana, monkeypatch):
    begun = await ana.start(PDF, "application/pdf")
    view = await ana.upload(PDF, "application/pdf")
    now = folder.time.time()
    monkeypatch.setattr(folder.time, "time", lambda: now + 301)
    assert await ana.put(begun["put"], PDF) == 404
    assert (await ana.fetch(view["url"]))[0].status == 404


WRONG_CONTENT = {
    "HTML declared as PDF": (b"<!doctype html><script>x</script>", "application/pdf"),
    "HTML declared as text": (b"\n <HTML><script>x</script>", "text/plain"),
    "SVG declared as text": (b'<svg xmlns="x" onload="y">', "text/plain"),
    "binary data declared as text": (bytes(range(256)) * 4, "text/plain"),
    "ZIP declared as PNG": (b"PK\x03\x04" + b"x" * 100, "image/png"),
    "JPEG declared as PNG": (picture("JPEG"), "image/png"),
    "truncated PNG": (picture("PNG")[:400], "image/png"),
    "PDF declared as audio": (PDF, "audio/webm"),
}


@one_database
@pytest.mark.parametrize(("content", "kind"), WRONG_CONTENT.values(), ids=WRONG_CONTENT)
async def test_an_upload_with_the_wrong_type_is_deleted(world, ana, content, kind):
    begun = await ana.start(content, kind)
    assert await ana.put(begun["put"], content) == 200
    assert await code_of(ana, "POST", f"/uploads/{begun['id']}/complete") == "CONTENT_WRONG"
    assert await code_of(ana, "GET", f"/uploads/{begun['id']}") == "NOT_FOUND"
    await world.settle()
    assert files_of(world) == set()


@one_database
async def test_active_types_oversized_files_and_invalid_fields_are_refused(ana):
    for kind in ("text/html", "image/svg+xml", "application/javascript", "image/tiff", "x/y"):
        with pytest.raises(RestRefused) as refused:
            await ana.start(PDF, kind)
        assert refused.value.code == "TYPE_NOT_ALLOWED", kind
    with pytest.raises(RestRefused) as refused:
        await ana.start(PDF, "image/png", size=26 * 1024**2)
    assert refused.value.code == "TOO_LARGE"
    with pytest.raises(RestRefused) as refused:
        await ana.start(PDF, "application/pdf", size=513 * 1024**2)
    assert refused.value.code == "TOO_LARGE"
    for wrong in (
        *(
            {"size": 0},
            {"size": -1},
            {"size": "9"},
            {"name": ""},
            {"name": "../x"},
            {"name": "a\n"},
        ),
        *({"sha256": "x"}, {"sha256": None}, {"user_id": "x"}, {"content_type": "x"}),
    ):
        with pytest.raises(RestRefused) as refused:
            await ana.start(PDF, "application/pdf", **wrong)
        assert (refused.value.status, refused.value.code) == (400, "INVALID"), wrong
        assert refused.value.details["path"], "and where"


async def test_an_upload_of_another_user_is_not_found(world, ana, ben):
    begun = await ana.start(PDF, "application/pdf")
    path = f"/uploads/{begun['id']}"
    for method, place, body in (
        ("GET", path, None),
        ("DELETE", path, None),
        ("POST", f"{path}/complete", None),
        ("POST", f"{path}/parts/1", {"sha256": "0" * 64}),
    ):
        assert await code_of(ben, method, place, body) == "NOT_FOUND"
    assert (await ana.ask("GET", path))["status"] == "waiting"


@one_database
async def test_an_upload_needs_a_valid_token(world, ana):
    for said, code in (("", "TOKEN_MISSING"), ("Bearer x", "TOKEN_INVALID")):
        with pytest.raises(RestRefused) as refused:
            await ana.ask("POST", "/uploads", {}, Authorization=said)
        assert (refused.value.status, refused.value.code) == (401, code)


@one_database
async def test_a_request_from_a_foreign_origin_is_refused(ana):
    with pytest.raises(RestRefused) as refused:
        await ana.ask("POST", "/uploads", {}, Origin="https://evil.example")
    assert (refused.value.status, refused.value.code) == (403, "FORBIDDEN")


# Pictures.


@one_database
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF"])
async def test_a_picture_is_re_encoded_and_gets_a_thumbnail(ana, form):
    view = await ana.upload(picture(form), f"image/{form.lower()}")
    assert (view["width"], view["height"]) == (640, 480)
    _, content = await ana.fetch(view["url"])
    assert Image.open(io.BytesIO(content)).format == form
    answer, small = await ana.fetch(view["thumbnail_url"])
    assert answer.headers["Content-Type"] == "image/webp"
    assert Image.open(io.BytesIO(small)).size == (320, 240)


@one_database
@pytest.mark.parametrize(("kind", "name"), [("image/heif", "IMG_1.HEIC"), ("", "IMG_1.heic")])
async def test_a_heic_from_a_phone_becomes_a_jpeg(ana, kind, name):
    pillow_heif.register_heif_opener()
    view = await ana.upload(picture("HEIF"), kind, name=name)
    assert (view["content_type"], view["name"], view["kind"]) == (
        *("image/jpeg", "IMG_1.jpg", "image"),
    )
    answer, content = await ana.fetch(view["url"])
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Content-Disposition"].endswith("IMG_1.jpg")
    assert Image.open(io.BytesIO(content)).format == "JPEG"
    assert (await ana.ask("GET", f"/uploads/{view['id']}"))["name"] == "IMG_1.jpg"


@one_database
async def test_metadata_is_removed_from_pictures(world, ana):
    content = geotagged_picture() + b"hidden behind it"
    view = await ana.upload(content, "image/jpeg")
    assert (view["width"], view["height"]) == (480, 640)  # upright
    for url in (view["url"], view["thumbnail_url"]):
        _, fetched = await ana.fetch(url)
        assert not Image.open(io.BytesIO(fetched)).getexif()
        for metadata in (b"at home", b"hidden behind it", b"Exif"):
            assert metadata not in fetched
    await world.settle()
    assert files_of(world) == {f"pictures/{view['id']}", f"thumbnails/{view['id']}"}


@one_database
async def test_a_picture_with_too_many_pixels_is_refused(ana):
    bomb = picture("PNG", (10_000, 10_000))
    begun = await ana.start(bomb, "image/png")
    assert await ana.put(begun["put"], bomb) == 200
    assert await code_of(ana, "POST", f"/uploads/{begun['id']}/complete") == "CONTENT_WRONG"


@one_database
async def test_an_animated_gif_stays_animated(ana):
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "green", "blue")]
    made = io.BytesIO()
    frames[0].save(made, "GIF", save_all=True, append_images=frames[1:], duration=70)
    view = await ana.upload(made.getvalue(), "image/gif")
    _, content = await ana.fetch(view["url"])
    assert Image.open(io.BytesIO(content)).n_frames == 3


# Parts.


@one_database
async def test_a_large_file_is_uploaded_in_parts_in_any_order(world, ana):
    content = b"%PDF-1.7\n" + bytes(17 * 1024**2)
    begun = await ana.start(content, "application/pdf")
    assert (begun["put"], begun["part_size"], begun["parts"]) == (None, 8 * 1024**2, [])
    parts = parts_of(content)
    assert await ana.put_part(begun["id"], 3, parts[2]) == 200
    assert await ana.put_part(begun["id"], 1, parts[1]) == 200  # the wrong content, replaced below
    assert (await ana.ask("GET", f"/uploads/{begun['id']}"))["parts"] == [1, 3]
    with pytest.raises(RestRefused) as refused:
        await ana.ask("POST", f"/uploads/{begun['id']}/complete")
    assert (refused.value.code, refused.value.details) == ("NOT_UPLOADED", {"missing": [2]})
    assert await ana.put_part(begun["id"], 1, parts[0]) == 200
    assert await ana.put_part(begun["id"], 2, parts[1]) == 200
    view = await ana.ask("POST", f"/uploads/{begun['id']}/complete")
    _, fetched = await ana.fetch(view["url"])
    assert hashlib.sha256(fetched).digest() == hashlib.sha256(content).digest()
    assert files_of(world) == {f"kept/{begun['id']}"}


@one_database
async def test_a_small_file_without_a_checksum_is_uploaded_in_parts(ana):
    content = b"a small text"
    about = {"name": "a.txt", "content_type": "text/plain", "size": len(content)}
    begun = await ana.ask("POST", "/uploads", about)
    assert (begun["put"], begun["part_size"], begun["parts"]) == (None, PART_SIZE, [])
    assert await ana.put_part(begun["id"], 1, content) == 200
    done = await ana.ask("POST", f"/uploads/{begun['id'].upper()}/complete")
    assert (await ana.fetch(done["url"]))[1] == content


@one_database
async def test_a_part_with_a_wrong_size_or_number_is_refused(ana):
    content = b"%PDF-1.7\n" + bytes(17 * 1024**2)
    begun = await ana.start(content, "application/pdf")
    path = f"/uploads/{begun['id']}/parts"
    signed = await ana.ask("POST", f"{path}/1", {"sha256": hashlib.sha256(b"x").hexdigest()})
    assert await ana.put(signed, b"x") == 400  # every part has a fixed size
    for number in (0, 4, 99_999):
        assert await code_of(ana, "POST", f"{path}/{number}", {"sha256": "0" * 64}) == "NOT_FOUND"
    assert (await ana.ask("GET", f"/uploads/{begun['id']}"))["parts"] == []


@one_database
async def test_parts_that_do_not_match_the_announced_checksum_are_deleted(world, ana):
    content = b"%PDF-1.7\n" + bytes(17 * 1024**2)
    begun = await ana.start(content, "application/pdf")
    for number, part in enumerate(reversed(parts_of(content[::-1])), 1):
        size = 8 * 1024**2 if number < 3 else len(content) - 16 * 1024**2
        assert await ana.put_part(begun["id"], number, part[:size].ljust(size, b"x")) == 200
    assert await code_of(ana, "POST", f"/uploads/{begun['id']}/complete") == "CHECKSUM_WRONG"
    await world.settle()
    assert files_of(world) == set()


# Quotas, expiry and failures.


@both_databases
@pytest.mark.settings(PARLEY_UPLOAD_QUOTA_MB="1", PARLEY_UPLOADS_WAITING_MAX="3")
async def test_concurrent_uploads_cannot_exceed_the_users_limits(world, ana, ben):
    content = b"%PDF-1.7\n" + bytes(600_000)
    answers = await asyncio.gather(
        *(ana.start(content, "application/pdf") for _ in range(4)), return_exceptions=True
    )
    refused = [one for one in answers if isinstance(one, RestRefused)]
    assert [one.code for one in refused] == ["QUOTA_EXCEEDED"] * 3
    (begun,) = [one for one in answers if isinstance(one, dict)]
    await ana.ask("DELETE", f"/uploads/{begun['id']}")
    await ana.start(content, "application/pdf")
    for _ in range(3):
        await ben.start(PDF, "application/pdf")
    with pytest.raises(RestRefused):
        await ben.start(PDF, "application/pdf")


@pytest.mark.settings(PARLEY_UPLOAD_QUOTA_MB="1")
async def test_a_picture_that_grows_when_re_encoded_must_fit_the_quota(world, ana):
    made = io.BytesIO()
    Image.effect_noise((1_600, 1_600), 100).convert("RGB").save(made, "JPEG", quality=1)
    content = made.getvalue()
    begun = await ana.start(content, "image/jpeg")
    await ana.put(begun["put"], content)
    assert await code_of(ana, "POST", f"/uploads/{begun['id']}/complete") == "QUOTA_EXCEEDED"
    assert await code_of(ana, "GET", f"/uploads/{begun['id']}") == "NOT_FOUND"
    await until(lambda: files_of(world) == set())


async def test_incomplete_and_unused_uploads_are_deleted_after_a_day(world, ana):
    waiting = await ana.start(PDF, "application/pdf")
    await ana.put(waiting["put"], PDF)
    ready = await ana.upload(picture(), "image/jpeg")
    large = await ana.start(b"%PDF" + bytes(17 * 1024**2), "application/pdf")
    await ana.put_part(large["id"], 3, bytes(17 * 1024**2 + 4 - 16 * 1024**2))
    world.clock.advance(86_401)
    await world.settle()
    for one in (waiting, ready, large):
        assert await code_of(ana, "GET", f"/uploads/{one['id']}") == "NOT_FOUND"
    await until(lambda: files_of(world) == set())


@one_database
async def test_concurrent_completions_check_an_upload_once(world, ana):
    begun = await ana.start(picture(), "image/jpeg")
    await ana.put(begun["put"], picture())
    path = f"/uploads/{begun['id']}/complete"
    answers = await asyncio.gather(
        *(ana.ask("POST", path) for _ in range(4)), return_exceptions=True
    )
    refused = {one.code for one in answers if isinstance(one, RestRefused)}
    assert refused <= {"CONFLICT"}
    assert any(isinstance(one, dict) for one in answers)
    assert len(await world.stored("UPLOAD_COMPLETED")) == 1


@one_database
async def test_a_check_that_failed_can_be_repeated(world, ana, monkeypatch):
    begun = await ana.start(geotagged_picture(), "image/jpeg")
    await ana.put(begun["put"], geotagged_picture())
    objects, path = world.app.kernel.objects, f"/uploads/{begun['id']}/complete"
    write = objects.write

    async def fail(key, *args):
        await write(key, *args)
        raise OSError("the disk is gone")

    monkeypatch.setattr(objects, "write", fail)
    with pytest.raises(RestRefused) as refused:
        await ana.ask("POST", path)
    assert refused.value.status == 500
    monkeypatch.setattr(objects, "write", write)
    assert (await ana.ask("POST", path))["status"] == "ready"
    await world.settle()
    assert files_of(world) == {f"pictures/{begun['id']}", f"thumbnails/{begun['id']}"}
