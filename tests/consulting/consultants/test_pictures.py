"""A consultant's picture and a topic's icon: uploads, shown to everybody, gone with their use."""

import pytest

from tests.consulting.availability.practice import TOPIC, refused
from tests.parts.ports import free_port
from tests.platform.uploads.uploading import PDF, picture, uploader
from tests.world import with_server

pytestmark = with_server

NAMESPACE = "/consultants"
ABOUT = {"about_me": "I read.", "languages": ["en"], "country": "DE", "time_zone": "UTC"}


@pytest.fixture
async def world(make_world):
    port = free_port()
    return await make_world(port=port, PARLEY_PUBLIC_URL=f"http://127.0.0.1:{port}")


@pytest.fixture
async def clara(world):
    async with uploader(world, await world.person("clara", consultant=True)) as one:
        yield one


async def call(who, command, **payload):
    return await who.person.call(NAMESPACE, command, **payload)


async def is_shown(who, address):
    return (await who.fetch(who.world.url + address))[0].status == 200


async def bring(who):
    return (await who.upload(picture(), "image/jpeg"))["id"]


def files_of(world):
    folder = world.settings.data_dir / "files"
    return [one for one in folder.rglob("*") if one.is_file()]


async def test_a_picture_is_shown_at_a_path_of_this_server_until_there_is_another(world, clara):
    first, second = await bring(clara), await bring(clara)
    shown = await call(clara, "update", picture_id=first)
    assert shown["profile_picture_url"] == f"/pictures/{first}"
    visitor = await world.visitor(NAMESPACE)
    seen = await visitor.call(NAMESPACE, "get", consultant_id=clara.person.id)
    assert seen == shown
    assert await is_shown(clara, seen["profile_picture_url"])
    assert await is_shown(clara, seen["profile_picture_url"] + "?small")
    assert await call(clara, "update", picture_id=first) == shown, "the same again changes nothing"
    assert await call(clara, "update", about_me="I write.") == {**shown, "about_me": "I write."}
    await call(clara, "update", picture_id=second)
    assert not await is_shown(clara, f"/pictures/{first}")
    assert (await call(clara, "update", picture_id=None))["profile_picture_url"] is None
    await world.settle()
    assert files_of(world) == []


async def test_an_icon_is_shown_until_there_is_another_and_goes_with_its_topic(world, clara):
    icons = [await bring(clara) for _ in range(2)]
    topic = await call(clara, "add_topic", **TOPIC, icon_id=icons[0])
    assert topic["icon_url"] == f"/pictures/{icons[0]}"
    assert await is_shown(clara, topic["icon_url"])
    assert (await call(clara, "update_topic", topic_id=topic["id"], name="X"))["icon_url"]
    changed = await call(clara, "update_topic", topic_id=topic["id"], icon_id=icons[1])
    assert changed["icon_url"] == f"/pictures/{icons[1]}"
    assert not await is_shown(clara, topic["icon_url"])
    await call(clara, "remove_topic", topic_id=topic["id"])
    await world.settle()
    assert files_of(world) == []


async def test_who_becomes_a_consultant_shows_a_picture_and_who_begins_again_another(world):
    async with uploader(world, await world.person("clara")) as clara:
        first, second = await bring(clara), await bring(clara)
        view = await call(clara, "become", **ABOUT, picture_id=first)
        assert view["profile_picture_url"] == f"/pictures/{first}"
        await call(clara, "stop")
        view = await call(clara, "become", **ABOUT, picture_id=second)
        assert view["profile_picture_url"] == f"/pictures/{second}"
        assert not await is_shown(clara, f"/pictures/{first}")
        await call(clara, "stop")
        assert (await call(clara, "become", **ABOUT))["profile_picture_url"] is None
        await world.settle()
        assert files_of(world) == []


async def test_only_ones_own_ready_image_that_nothing_else_shows_is_taken(world, clara):
    mine, pdf = await bring(clara), (await clara.upload(PDF, "application/pdf"))["id"]
    coming = (await clara.start(picture(), "image/jpeg"))["id"]
    async with uploader(world, await world.person("ben", consultant=True)) as ben:
        theirs = await bring(ben)
    before = await call(clara, "get", consultant_id=clara.person.id)
    for wrong in (pdf, coming, theirs):
        await refused(call(clara, "update", picture_id=wrong), "NOT_FOUND")
        await refused(call(clara, "add_topic", **TOPIC, icon_id=wrong), "NOT_FOUND")
    await clara.person.call("/profile", "set_picture", upload_id=mine)
    await refused(call(clara, "update", picture_id=mine), "CONFLICT")
    assert await call(clara, "get", consultant_id=clara.person.id) == before
    assert await is_shown(clara, f"/pictures/{mine}"), "a refusal lets go of nothing"
