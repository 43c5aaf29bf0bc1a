"""Blocked users neither see the presence of the user who blocked them nor get its events."""

import pytest

from handlers.platform.presence import service
from tests.world import until

PRESENCE = "/presence"
NEVER_ONLINE = {"online": False, "status": "active", "last_seen_at": None}
EPHEMERAL_EVENTS = ("USER_ONLINE", "USER_OFFLINE", "status_changed")

pytestmark = pytest.mark.settings(PARLEY_PRESENCE_GRACE_S="0.3")


def ephemeral_events_of(client, person):
    """The names of the ephemeral events about a person that the client received."""
    received = [one for one in client.heard if one.name in EPHEMERAL_EVENTS]
    return [one.name for one in received if one.data["user_id"] == person.id]


async def state_of(person, other):
    answer = await person.call(PRESENCE, "watch", user_ids=[other.id])
    return answer["states"][other.id]


async def block(by, blocked, on=True):
    await by.call("/chat", "block", user_id=blocked.id, on=on)


@pytest.fixture
async def people(world):
    """Ana with the status busy, Ben whom she will block, and Cleo."""
    ana, ben, cleo = [await world.person(name) for name in ("ana", "ben", "cleo")]
    for one in (ben, cleo, ana):
        await one.enter(PRESENCE, "/chat")
    await ana.call(PRESENCE, "set_status", status="busy")
    await until(lambda: is_online(cleo, ana))
    return ana, ben, cleo


async def is_online(watcher, person):
    return (await state_of(watcher, person))["online"]


async def reconnect_after_grace_period(world, person):
    """Disconnect for longer than the grace period, then connect one device."""
    await person.client.close()
    await until(lambda: is_away(world, person))
    person.client = await person.device()
    await person.enter(PRESENCE, "/chat")
    await until(lambda: len(world.app.gate.presence._reporting) == 0)


async def is_away(world, person):
    states = await world.read(lambda tx: service.store.list_presences(tx, [person.id]))
    return not states[person.id].online


async def test_a_blocked_user_sees_the_other_as_never_online(people):
    ana, ben, cleo = people
    await block(ana, ben)
    assert await state_of(ben, ana) == NEVER_ONLINE
    answer = await ben.call(PRESENCE, "unwatch", user_ids=[ana.id])
    assert answer["states"] == {ana.id: NEVER_ONLINE}
    assert (await state_of(cleo, ana))["status"] == "busy"
    assert (await state_of(ana, ben))["online"], "who blocked sees the other as before"


async def test_a_block_ends_presence_events_for_earlier_watchers(world, people):
    ana, ben, cleo = people
    for watcher in (ben, cleo):
        assert await is_online(watcher, ana)
    await block(ana, ben)
    await ana.call(PRESENCE, "set_status", status="away")
    await cleo.event("status_changed", lambda data: data["status"] == "away")
    await reconnect_after_grace_period(world, ana)
    await cleo.event("USER_OFFLINE")
    await cleo.event("USER_ONLINE")
    assert ephemeral_events_of(ben.client, ana) == []
    await block(ana, ben, on=False)
    assert (await state_of(ben, ana))["online"]
    await ana.call(PRESENCE, "set_status", status="active")
    await ben.event("status_changed")


async def test_no_device_of_a_blocked_user_receives_presence_events(world, people):
    ana, ben, cleo = people
    await block(ana, ben)
    phone = await ben.device()
    await phone.enter(PRESENCE)
    await phone.call(PRESENCE, "watch", user_ids=[ana.id, cleo.id])
    await cleo.call(PRESENCE, "watch", user_ids=[ana.id])
    await ana.call(PRESENCE, "set_status", status="away")
    await cleo.event("status_changed", lambda data: data["status"] == "away")
    events, _ = await world.read(service.resync, world.clock.now().replace(year=2000), "")
    assert {one.hidden_from for one in events if one.data.user_id == ana.id} == {
        frozenset({ben.id})
    }
    assert {one.hidden_from for one in events if one.data.user_id != ana.id} == {frozenset()}
    assert ephemeral_events_of(phone, ana) == []
