"""Devices for push notifications: registering, signing out, and encrypted tokens."""

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


async def test_a_device_stays_registered_until_it_is_unregistered(world):
    ana = await world.person("ana")
    await register(ana, "one")
    await register(ana, "one")
    await register(ana, "two", "android")
    assert await tokens_of(world, ana) == ["one", "two"]
    await ana.call("/notifications", "unregister_device", token="one")
    await ana.call("/notifications", "unregister_device", token="never")
    assert await tokens_of(world, ana) == ["two"]


async def test_a_device_belongs_to_the_last_user_who_registered_it(world):
    ana, ben = await world.person("ana"), await world.person("ben")
    await register(ana, "shared")
    await register(ben, "shared")
    assert await tokens_of(world, ana) == []
    assert await tokens_of(world, ben) == ["shared"]
    await ana.call("/notifications", "unregister_device", token="shared")
    assert await tokens_of(world, ben) == ["shared"]


async def test_ending_a_session_unregisters_its_device(world):
    ana = await world.person("ana")
    other = await world.another_session(ana)
    await register(ana, "here")
    await register(other, "there")
    await ana.call("/profile", "end_other_sessions")
    await world.settle()
    assert await tokens_of(world, ana) == ["here"]


async def test_an_ended_session_cannot_register_a_device(world):
    """Its connection to another instance may stay open for a moment."""
    ana = await world.person("ana")
    other = await world.another_session(ana)
    await ana.call("/profile", "end_other_sessions")
    await world.settle()
    there = world.app.context(Actor(ana.id, session_id_of(other.token), frozenset()))
    with pytest.raises(SessionRevoked):
        await there.transact(devices.register, RegisterDevice(platform="ios", token="there"))
    assert await tokens_of(world, ana) == []


async def test_only_the_twenty_newest_devices_of_a_user_are_kept(world):
    ana = await world.person("ana")
    for number in range(22):
        await register(ana, f"token {number:02}")
        world.clock.advance(1)
    assert await tokens_of(world, ana) == [f"token {number:02}" for number in range(2, 22)]


@one_database
async def test_a_push_token_is_stored_encrypted(world):
    ana = await world.person("ana")
    await register(ana, "a token that nobody should read")
    (row,) = await world.read(list_devices, ana.id)
    assert "nobody should read" not in repr(row)
