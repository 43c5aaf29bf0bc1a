"""One's own user: seen, changed, and told to every device of one's own and to nobody else."""

import asyncio

import pytest

from handlers.platform.profile.public import UnknownRole, add_role
from storage.platform import profile as store
from tests.world import Person, World, both_databases, one_database


@pytest.fixture
async def ana(world: World) -> Person:
    return await (await world.person("ana")).enter("/profile")


async def test_a_change_is_answered_kept_and_told_to_ones_own_devices(world, ana):
    ben = await (await world.person("ben")).enter("/profile")
    phone = await (await ana.device()).enter("/profile")
    before = await ana.call("/profile", "me")
    settings = {"theme": "dark", "clock": "12h", "read_receipts": False}
    changes = {
        "first_name": "Ana Maria",
        "last_name": "Exemplo",
        "language": "pt",
        "time_zone": "Europe/Lisbon",
        "settings": settings,
    }
    after = await ana.call("/profile", "update", **changes)
    assert after == before | changes | {"updated_at": after["updated_at"]}
    assert after["updated_at"] > before["updated_at"]
    for device in (ana.client, phone):
        heard = await device.event("USER_UPDATED")
        assert heard.data == {"user": after}
        assert (heard.meta["room"], heard.meta["seq"]) == (f"user:{ana.id}", 1)
    assert await ana.call("/profile", "me") == after
    lighter = await ana.call("/profile", "update", settings={"theme": "light"})
    assert lighter["settings"] == {"theme": "light", "clock": "12h", "read_receipts": False}
    assert (await ben.call("/profile", "me"))["first_name"] == "Ben"
    assert ben.client.heard == []


@both_databases
async def test_changes_made_at_the_same_moment_on_two_devices_all_stay(world, ana):
    phone = await (await ana.device()).enter("/profile")
    for number in range(5):
        await asyncio.gather(
            ana.call("/profile", "update", first_name=f"Ana {number}"),
            phone.call("/profile", "update", last_name=f"Example {number}"),
            world.transact(add_role, ana.id, ("consultant", "moderator")[number % 2]),
        )
        me = await ana.call("/profile", "me")
        assert (me["first_name"], me["last_name"]) == (f"Ana {number}", f"Example {number}")
    assert sorted(me["roles"]) == ["consultant", "moderator", "student"]
    last = await phone.event("USER_UPDATED", lambda data: data["user"] == me)
    assert last.meta["seq"] == 12


@one_database
async def test_what_is_not_in_the_public_lists_or_not_ones_own_to_set_is_invalid(ana):
    before = await ana.call("/profile", "me")
    for wrong, path in [
        ({"first_name": ""}, "$.first_name"),
        ({"first_name": "x" * 101}, "$.first_name"),
        ({"last_name": " "}, "$.last_name"),
        ({"last_name": None}, "$.last_name"),
        ({"language": "xx"}, "$.language"),
        ({"language": "deu"}, "$.language"),
        ({"time_zone": "Europe/Nowhere"}, "$.time_zone"),
        ({"settings": {"theme": "pink"}}, "$.settings.theme"),
        ({"settings": {"theme": None}}, "$.settings.theme"),
        ({"settings": {"anything": 1}}, "$.settings"),
        ({"email": "other@example.org"}, "$"),
        ({"roles": ["admin"]}, "$"),
        ({"id": before["id"]}, "$"),
    ]:
        answer = await ana.client.ask("/profile", "update", wrong)
        assert answer["error"]["code"] == "INVALID", wrong
        assert answer["error"]["details"]["path"] in path, wrong
    assert await ana.call("/profile", "me") == before
    assert ana.events("USER_UPDATED") == []


async def test_a_role_that_nobody_declares_is_not_given(world, ana):
    with pytest.raises(UnknownRole):
        await world.transact(add_role, ana.id, "pilot")
    assert (await ana.call("/profile", "me"))["roles"] == ["student"]


async def test_a_stored_role_that_nobody_declares_any_more_stays(world, ana):
    row = await world.read(store.find_user, ana.id)
    row.roles = ["pilot", "student"]
    await world.transact(store.update_user, row)
    await world.transact(add_role, ana.id, "consultant")
    assert (await ana.call("/profile", "me"))["roles"] == ["student", "consultant", "pilot"]
