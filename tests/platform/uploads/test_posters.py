"""A video's poster is one of the user's own pictures, which completing the video consumes."""

import io

import pytest
from PIL import Image

from tests.platform.uploads.test_uploads import code_of, files_of
from tests.platform.uploads.uploading import PDF, Uploader, picture
from tests.world import until, with_server

pytestmark = with_server

VIDEO = b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + b"a frame " * 50


@pytest.fixture
async def video(ana: Uploader) -> dict:
    """A video that was put but not completed."""
    begun = await ana.start(VIDEO, "video/mp4")
    assert await ana.put(begun["put"], VIDEO) == 200
    return begun


async def complete(who: Uploader, video: dict, poster: dict) -> dict:
    return await who.ask("POST", f"/uploads/{video['id']}/complete", {"poster_id": poster["id"]})


async def test_a_video_gets_its_thumbnail_from_its_poster(world, ana, video):
    poster = await ana.upload(picture(size=(1280, 720)), "image/jpeg")
    ready = await complete(ana, video, poster)
    assert (ready["kind"], ready["width"], ready["height"]) == ("video", 1280, 720)
    _, small = await ana.fetch(ready["thumbnail_url"])
    assert Image.open(io.BytesIO(small)).size == (320, 180)
    assert await code_of(ana, "GET", f"/uploads/{poster['id']}") == "NOT_FOUND"
    left = {f"kept/{video['id']}", f"thumbnails/{video['id']}"}
    await until(lambda: files_of(world) == left)
    again = await complete(ana, video, poster)  # a repeat after a lost answer
    assert again["id"] == video["id"]
    await ana.ask("DELETE", f"/uploads/{video['id']}")
    await until(lambda: files_of(world) == set())


async def test_a_poster_must_be_the_users_own_unused_picture_for_a_video(ana, ben, video):
    path = f"/uploads/{video['id']}/complete"
    theirs = await ben.upload(picture(), "image/jpeg")
    paper = await ana.upload(PDF, "application/pdf")
    coming = await ana.start(picture(), "image/jpeg")
    for wrong in (theirs, paper, coming, video):
        assert await code_of(ana, "POST", path, {"poster_id": wrong["id"]}) == "NOT_FOUND"
    assert await code_of(ana, "POST", path, {"poster_id": "x"}) == "INVALID"
    used = await ana.upload(picture(), "image/jpeg")
    await ana.person.call("/profile", "set_picture", upload_id=used["id"])
    assert await code_of(ana, "POST", path, {"poster_id": used["id"]}) == "CONFLICT"
    free = await ana.upload(picture(), "image/jpeg")
    begun = await ana.start(PDF, "application/pdf")
    await ana.put(begun["put"], PDF)
    path_of_paper = f"/uploads/{begun['id']}/complete"
    assert await code_of(ana, "POST", path_of_paper, {"poster_id": free["id"]}) == "NOT_FOUND"
    assert (await complete(ana, video, free))["thumbnail_url"], "it lost nothing by all that"


async def test_a_poster_deleted_during_completion_does_not_damage_the_video(
    world, ana, video, monkeypatch
):
    poster, objects = await ana.upload(picture(), "image/jpeg"), world.app.kernel.objects
    write = objects.write

    async def delete_poster_and_write(key, *rest):
        await ana.ask("DELETE", f"/uploads/{poster['id']}")
        await write(key, *rest)

    monkeypatch.setattr(objects, "write", delete_poster_and_write)
    path = f"/uploads/{video['id']}/complete"
    assert await code_of(ana, "POST", path, {"poster_id": poster["id"]}) == "NOT_FOUND"
    assert (await ana.ask("POST", path))["thumbnail_url"] is None
