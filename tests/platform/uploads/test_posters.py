"""A video shows a picture before it plays: one of its sender's own, which is used up by that."""

import io

import pytest
from PIL import Image

from tests.platform.uploads.bringing import PDF, Bringer, picture
from tests.platform.uploads.test_uploads import code_of, files_of
from tests.world import until, with_server

pytestmark = with_server

VIDEO = b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + b"a frame " * 50


@pytest.fixture
async def video(ana: Bringer) -> dict:
    """One that is there, but not yet checked."""
    begun = await ana.start(VIDEO, "video/mp4")
    assert await ana.put(begun["put"], VIDEO) == 200
    return begun


async def complete(who: Bringer, video: dict, poster: dict) -> dict:
    return await who.ask("POST", f"/uploads/{video['id']}/complete", {"poster_id": poster["id"]})


async def test_a_video_has_the_small_picture_of_its_poster(world, ana, video):
    poster = await ana.bring(picture(size=(1280, 720)), "image/jpeg")
    ready = await complete(ana, video, poster)
    assert (ready["kind"], ready["width"], ready["height"]) == ("video", 1280, 720)
    _, small = await ana.fetch(ready["thumbnail_url"])
    assert Image.open(io.BytesIO(small)).size == (320, 180)
    assert await code_of(ana, "GET", f"/uploads/{poster['id']}") == "NOT_FOUND"
    left = {f"kept/{video['id']}", f"thumbnails/{video['id']}"}
    await until(lambda: files_of(world) == left)
    again = await complete(ana, video, poster)  # its answer was lost on the way
    assert again["id"] == video["id"]
    await ana.ask("DELETE", f"/uploads/{video['id']}")
    await until(lambda: files_of(world) == set())


async def test_only_ones_own_free_picture_is_a_poster_and_only_of_a_video(ana, ben, video):
    path = f"/uploads/{video['id']}/complete"
    theirs = await ben.bring(picture(), "image/jpeg")
    paper = await ana.bring(PDF, "application/pdf")
    coming = await ana.start(picture(), "image/jpeg")
    for wrong in (theirs, paper, coming, video):
        assert await code_of(ana, "POST", path, {"poster_id": wrong["id"]}) == "NOT_FOUND"
    assert await code_of(ana, "POST", path, {"poster_id": "x"}) == "INVALID"
    used = await ana.bring(picture(), "image/jpeg")
    await ana.person.call("/profile", "set_picture", upload_id=used["id"])
    assert await code_of(ana, "POST", path, {"poster_id": used["id"]}) == "CONFLICT"
    free = await ana.bring(picture(), "image/jpeg")
    begun = await ana.start(PDF, "application/pdf")
    await ana.put(begun["put"], PDF)
    path_of_paper = f"/uploads/{begun['id']}/complete"
    assert await code_of(ana, "POST", path_of_paper, {"poster_id": free["id"]}) == "NOT_FOUND"
    assert (await complete(ana, video, free))["thumbnail_url"], "it lost nothing by all that"


async def test_a_poster_that_goes_meanwhile_spoils_nothing(world, ana, video, monkeypatch):
    poster, objects = await ana.bring(picture(), "image/jpeg"), world.app.kernel.objects
    write = objects.write

    async def let_go_before(key, *rest):
        await ana.ask("DELETE", f"/uploads/{poster['id']}")
        await write(key, *rest)

    monkeypatch.setattr(objects, "write", let_go_before)
    path = f"/uploads/{video['id']}/complete"
    assert await code_of(ana, "POST", path, {"poster_id": poster["id"]}) == "NOT_FOUND"
    assert (await ana.ask("POST", path))["thumbnail_url"] is None
