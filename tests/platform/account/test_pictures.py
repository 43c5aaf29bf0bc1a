"""Profile pictures: uploads that everyone can fetch until they are replaced."""

import pytest

from tests.parts.ports import free_port
from tests.platform.uploads.uploading import PDF, picture, uploader
from tests.wire_client import Refused
from tests.world import with_server

pytestmark = with_server


@pytest.fixture
async def world(make_world):
    port = free_port()
    return await make_world(port=port, PARLEY_PUBLIC_URL=f"http://127.0.0.1:{port}")


async def set_picture(user, upload_id):
    return await user.person.call("/profile", "set_picture", upload_id=upload_id)


async def test_a_profile_picture_is_public_until_it_is_replaced(world):
    async with uploader(world, await world.person("ana")) as ana:
        first = await ana.upload(picture(), "image/jpeg")
        url = f"{world.url}/pictures/{first['id']}"
        assert (await ana.fetch(url))[0].status == 404  # not anyone's picture yet
        user = await set_picture(ana, first["id"])
        assert user["picture_id"] == first["id"]
        assert (await ana.person.event("USER_UPDATED")).data["user"] == user
        ben = await world.person("ben")
        people = await ben.call("/profile", "people", user_ids=[ana.person.id])
        assert people["people"][ana.person.id]["picture_id"] == first["id"]
        for query in ("", "?small"):
            answer, content = await ana.fetch(url + query)
            assert answer.status == 200
            assert content
        second = await ana.upload(picture("PNG"), "image/png")
        await set_picture(ana, second["id"])
        assert (await ana.fetch(url))[0].status == 404
        assert (await set_picture(ana, None))["picture_id"] is None
        assert (await ana.fetch(f"{world.url}/pictures/{second['id']}"))[0].status == 404
        await world.settle()
        folder = world.settings.data_dir / "files"
        assert not [one for one in folder.rglob("*") if one.is_file()]


async def test_a_profile_picture_must_be_the_users_own_unused_image(world):
    async with uploader(world, await world.person("ana")) as ana:
        pdf = await ana.upload(PDF, "application/pdf")
        mine = await ana.upload(picture(), "image/jpeg")
        ben = await world.person("ben")
        for user, upload_id, code in (
            (ana.person, pdf["id"], "NOT_FOUND"),
            (ben, mine["id"], "NOT_FOUND"),
        ):
            with pytest.raises(Refused) as refused:
                await user.call("/profile", "set_picture", upload_id=upload_id)
            assert refused.value.code == code
        await set_picture(ana, mine["id"])
        with pytest.raises(Refused) as refused:
            await set_picture(ana, mine["id"])
        assert refused.value.code == "CONFLICT"
        assert (await ana.person.call("/profile", "me"))["picture_id"] == mine["id"]
