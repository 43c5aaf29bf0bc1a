"""Apps that can be reached by pushes: registered, moved, signed out, kept sealed."""

import pytest

from handlers.kit.kernel import Actor
from handlers.platform.auth.contracts import SessionRevoked
from handlers.platform.notifications import devices
from handlers.platform.notifications.contracts import RegisterDevice
from storage.platform.notifications.push_devices import list_devices
from tests.world import World, one_database, session_id_of


async def tokens_of(world: World, who) -> list[str]:
    rows = await world.read(list_devices, who.id)
    return sorted(world.app.kernel.keys.open(row.sealed_token) for row in rows)


async def register(who, token: str, platform: str = "ios") -> None:
    await who.call("/notifications", "register_device", platform=platform, token=token)


async def test_a_device_is_registered_until_it_is_taken_back(world):
    ana = await world.person("ana")
    await register(ana, "one")
    await register(ana, "one")
    await register(ana, "two", "android")
    assert await tokens_of(world, ana) == ["one", "two"]
    await ana.call("/notifications", "unregister_device", token="one")
    await ana.call("/notifications", "unregister_device", token="never")
    assert await tokens_of(world, ana) == ["two"]


async def test_a_device_is_of_who_is_signed_in_there(world):
    ana, ben = await world.person("ana"), await world.person("ben")
    await register(ana, "shared")
    await register(ben, "shared")
    assert await tokens_of(world, ana) == []
    assert await tokens_of(world, ben) == ["shared"]
    await ana.call("/notifications", "unregister_device", token="shared")
    assert await tokens_of(world, ben) == ["shared"]


async def test_who_signs_out_gets_no_more_pushes_there(world):
    ana = await world.person("ana")
    other = await world.another_session(ana)
    await register(ana, "here")
    await register(other, "there")
    await ana.call("/profile", "end_other_sessions")
    await world.settle()
    assert await tokens_of(world, ana) == ["here"]


async def test_who_was_just_signed_out_registers_nothing_any_more(world):
    """Their connection may be open for a moment still, at another instance."""
    ana = await world.person("ana")
    other = await world.another_session(ana)
    await ana.call("/profile", "end_other_sessions")
    await world.settle()
    there = world.app.context(Actor(ana.id, session_id_of(other.token), frozenset()))
    with pytest.raises(SessionRevoked):
        await there.transact(devices.register, RegisterDevice(platform="ios", token="there"))
    assert await tokens_of(world, ana) == []


async def test_a_person_has_room_for_twenty_and_the_oldest_go(world):
    ana = await world.person("ana")
    for number in range(22):
        await register(ana, f"token {number:02}")
        world.clock.advance(1)
    assert await tokens_of(world, ana) == [f"token {number:02}" for number in range(2, 22)]


@one_database
async def test_a_token_is_kept_sealed(world):
    ana = await world.person("ana")
    await register(ana, "a token that nobody should read")
    (row,) = await world.read(list_devices, ana.id)
    assert "nobody should read" not in repr(row)
