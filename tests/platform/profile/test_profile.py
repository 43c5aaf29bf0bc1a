"""A user's own profile: reads, changes, and events to the user's own devices only."""

import asyncio

import pytest
from msgspec import structs

from handlers.platform.profile.public import UnknownRole, add_role
from storage.platform import profile as store
from tests.world import Person, World, both_databases, one_database

PICTURE = "01890000-0000-7000-8000-000000000000"


@pytest.fixture
async def ana(world: World) -> Person:
    return await (await world.person("ana")).enter("/profile")


async def test_a_change_is_stored_and_sent_to_the_users_own_devices(world, ana):
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
        event = await device.event("USER_UPDATED")
        assert event.data == {"user": after}
        assert (event.meta["room"], event.meta["seq"]) == (f"user:{ana.id}", 1)
    assert await ana.call("/profile", "me") == after
    lighter = await ana.call("/profile", "update", settings={"theme": "light"})
    assert lighter["settings"] == {"theme": "light", "clock": "12h", "read_receipts": False}
    assert (await ben.call("/profile", "me"))["first_name"] == "Ben"
    assert ben.client.heard == []


@both_databases
async def test_concurrent_changes_from_two_devices_are_all_kept(world, ana):
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
async def test_unknown_values_and_protected_fields_are_invalid(ana):
    before = await ana.call("/profile", "me")
    for wrong, path in [
        ({"first_name": ""}, "$.first_name"),
        ({"first_name": "x" * 101}, "$.first_name"),
        ({"last_name": " "}, "$.last_name"),
        ({"last_name": None}, "$.last_name"),
        ({"language": "xx"}, "$.language"),
        ({"language": "deu"}, "$.language"),
        ({"time_zone": "Europe/Nowhere"}, "$.time_zone"),
        ({"time_zone": "localtime"}, "$.time_zone"),
        ({"time_zone": "Factory"}, "$.time_zone"),
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


async def test_an_undeclared_role_is_not_granted(world, ana):
    with pytest.raises(UnknownRole):
        await world.transact(add_role, ana.id, "pilot")
    assert (await ana.call("/profile", "me"))["roles"] == ["student"]


async def test_a_stored_role_that_is_no_longer_declared_is_kept(world, ana):
    row = await world.read(store.find_user, ana.id)
    row.roles = ["pilot", "student"]
    await world.transact(store.update_user, row)
    await world.transact(add_role, ana.id, "consultant")
    assert (await ana.call("/profile", "me"))["roles"] == ["student", "consultant", "pilot"]


async def test_a_blocked_user_gets_the_name_and_not_the_picture(world, ana):
    ben, cleo = await world.person("ben"), await world.person("cleo")
    await world.transact(_give_picture, ana.id)
    await ana.call("/chat", "block", user_id=ben.id)
    person = {"first_name": "Ana", "last_name": "Example", "picture_id": PICTURE}
    people = {"user_ids": [ana.id]}
    for other in (cleo, ana):
        assert (await other.call("/profile", "people", **people))["people"] == {ana.id: person}
    hidden = {ana.id: {**person, "picture_id": None}}
    assert (await ben.call("/profile", "people", **people))["people"] == hidden
    await world.transact(_give_picture, ben.id)
    shown = await ana.call("/profile", "people", user_ids=[ben.id])
    assert shown["people"][ben.id]["picture_id"] == PICTURE, "who blocked sees all as before"
    await ana.call("/chat", "block", user_id=ben.id, on=False)
    assert (await ben.call("/profile", "people", **people))["people"] == {ana.id: person}


def _give_picture(tx, user_id):
    row = store.find_user(tx, user_id)
    store.update_user(tx, structs.replace(row, picture_id=PICTURE))
