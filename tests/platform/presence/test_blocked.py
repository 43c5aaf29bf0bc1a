"""Whom somebody blocked sees and hears nothing of whether they are there."""

import pytest

from handlers.platform.presence import service
from tests.world import until

PRESENCE = "/presence"
NEVER_THERE = {"online": False, "status": "active", "last_seen_at": None}
WHISPERS = ("USER_ONLINE", "USER_OFFLINE", "status_changed")

pytestmark = pytest.mark.settings(PARLEY_PRESENCE_GRACE_S="0.3")


def ephemeral_events_of(client, person):
    """The names of the ephemeral events that were heard of a person."""
    heard = [one for one in client.heard if one.name in WHISPERS]
    return [one.name for one in heard if one.data["user_id"] == person.id]


async def state_of(person, other):
    answer = await person.call(PRESENCE, "watch", user_ids=[other.id])
    return answer["states"][other.id]


async def block(by, who, on=True):
    await by.call("/chat", "block", user_id=who.id, on=on)


@pytest.fixture
async def people(world):
    """Ana, who is busy; Ben, whom she blocks; Cleo, whom she does not."""
    ana, ben, cleo = [await world.person(name) for name in ("ana", "ben", "cleo")]
    for one in (ben, cleo, ana):
        await one.enter(PRESENCE, "/chat")
    await ana.call(PRESENCE, "set_status", status="busy")
    await until(lambda: is_online(cleo, ana))
    return ana, ben, cleo


async def is_online(watcher, person):
    return (await state_of(watcher, person))["online"]


async def come_back(world, person):
    """All devices go, for longer than the grace; then one comes."""
    await person.client.close()
    await until(lambda: is_away(world, person))
    person.client = await person.device()
    await person.enter(PRESENCE, "/chat")
    await until(lambda: len(world.app.gate.presence._reporting) == 0)


async def is_away(world, person):
    states = await world.read(lambda tx: service.store.list_presences(tx, [person.id]))
    return not states[person.id].online


async def test_who_is_blocked_sees_somebody_who_is_never_there(people):
    ana, ben, cleo = people
    await block(ana, ben)
    assert await state_of(ben, ana) == NEVER_THERE
    answer = await ben.call(PRESENCE, "unwatch", user_ids=[ana.id])
    assert answer["states"] == {ana.id: NEVER_THERE}
    assert (await state_of(cleo, ana))["status"] == "busy"
    assert (await state_of(ana, ben))["online"], "who blocked sees the other as before"


async def test_who_watched_before_the_block_hears_nothing_more(world, people):
    ana, ben, cleo = people
    for watcher in (ben, cleo):
        assert await is_online(watcher, ana)
    await block(ana, ben)
    await ana.call(PRESENCE, "set_status", status="away")
    await cleo.event("status_changed", lambda data: data["status"] == "away")
    await come_back(world, ana)
    await cleo.event("USER_OFFLINE")
    await cleo.event("USER_ONLINE")
    assert ephemeral_events_of(ben.client, ana) == []
    await block(ana, ben, on=False)
    assert (await state_of(ben, ana))["online"]
    await ana.call(PRESENCE, "set_status", status="active")
    await ben.event("status_changed")


async def test_every_device_of_who_is_blocked_is_deaf_however_it_watches(world, people):
    ana, ben, cleo = people
    await block(ana, ben)
    phone = await ben.device()
    await phone.enter(PRESENCE)
    await phone.call(PRESENCE, "watch", user_ids=[ana.id, cleo.id])
    await cleo.call(PRESENCE, "watch", user_ids=[ana.id])
    await ana.call(PRESENCE, "set_status", status="away")
    await cleo.event("status_changed", lambda data: data["status"] == "away")
    told, _ = await world.read(service.resync, world.clock.now().replace(year=2000), "")
    assert {one.hidden_from for one in told if one.data.user_id == ana.id} == {frozenset({ben.id})}
    assert {one.hidden_from for one in told if one.data.user_id != ana.id} == {frozenset()}
    assert ephemeral_events_of(phone, ana) == []
