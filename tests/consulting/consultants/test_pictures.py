"""Consultants' pictures and topics' icons: uploads that are public while they are in use."""

import pytest

from tests.consulting.availability.practice import TOPIC, assert_refused
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


async def call(user, command, **payload):
    return await user.person.call(NAMESPACE, command, **payload)


async def is_served(user, address):
    return (await user.fetch(user.world.url + address))[0].status == 200


async def upload(user):
    return (await user.upload(picture(), "image/jpeg"))["id"]


def files_of(world):
    folder = world.settings.data_dir / "files"
    return [one for one in folder.rglob("*") if one.is_file()]


async def test_a_profile_picture_is_served_until_it_is_replaced_or_removed(world, clara):
    first, second = await upload(clara), await upload(clara)
    view = await call(clara, "update", picture_id=first)
    assert view["profile_picture_url"] == f"/pictures/{first}"
    visitor = await world.visitor(NAMESPACE)
    seen = await visitor.call(NAMESPACE, "get", consultant_id=clara.person.id)
    assert seen == view
    assert await is_served(clara, seen["profile_picture_url"])
    assert await is_served(clara, seen["profile_picture_url"] + "?small")
    assert await call(clara, "update", picture_id=first) == view, "the same again changes nothing"
    assert await call(clara, "update", about_me="I write.") == {**view, "about_me": "I write."}
    await call(clara, "update", picture_id=second)
    assert not await is_served(clara, f"/pictures/{first}")
    assert (await call(clara, "update", picture_id=None))["profile_picture_url"] is None
    await world.settle()
    assert files_of(world) == []


async def test_a_topic_icon_is_served_until_it_is_replaced_or_its_topic_removed(world, clara):
    icons = [await upload(clara) for _ in range(2)]
    topic = await call(clara, "add_topic", **TOPIC, icon_id=icons[0])
    assert topic["icon_url"] == f"/pictures/{icons[0]}"
    assert await is_served(clara, topic["icon_url"])
    assert (await call(clara, "update_topic", topic_id=topic["id"], name="X"))["icon_url"]
    changed = await call(clara, "update_topic", topic_id=topic["id"], icon_id=icons[1])
    assert changed["icon_url"] == f"/pictures/{icons[1]}"
    assert not await is_served(clara, topic["icon_url"])
    await call(clara, "remove_topic", topic_id=topic["id"])
    await world.settle()
    assert files_of(world) == []


async def test_becoming_a_consultant_sets_the_picture_and_returning_replaces_it(world):
    async with uploader(world, await world.person("clara")) as clara:
        first, second = await upload(clara), await upload(clara)
        view = await call(clara, "become", **ABOUT, picture_id=first)
        assert view["profile_picture_url"] == f"/pictures/{first}"
        await call(clara, "stop")
        view = await call(clara, "become", **ABOUT, picture_id=second)
        assert view["profile_picture_url"] == f"/pictures/{second}"
        assert not await is_served(clara, f"/pictures/{first}")
        await call(clara, "stop")
        assert (await call(clara, "become", **ABOUT))["profile_picture_url"] is None
        await world.settle()
        assert files_of(world) == []


async def test_only_the_users_own_complete_and_unused_image_is_accepted(world, clara):
    mine, pdf = await upload(clara), (await clara.upload(PDF, "application/pdf"))["id"]
    incomplete = (await clara.start(picture(), "image/jpeg"))["id"]
    async with uploader(world, await world.person("ben", consultant=True)) as ben:
        theirs = await upload(ben)
    before = await call(clara, "get", consultant_id=clara.person.id)
    for unusable in (pdf, incomplete, theirs):
        await assert_refused(call(clara, "update", picture_id=unusable), "NOT_FOUND")
        await assert_refused(call(clara, "add_topic", **TOPIC, icon_id=unusable), "NOT_FOUND")
    await clara.person.call("/profile", "set_picture", upload_id=mine)
    await assert_refused(call(clara, "update", picture_id=mine), "CONFLICT")
    assert await call(clara, "get", consultant_id=clara.person.id) == before
    assert await is_served(clara, f"/pictures/{mine}"), "a refusal lets go of nothing"
