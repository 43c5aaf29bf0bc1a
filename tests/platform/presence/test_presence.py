"""Presence: watchers get one event when a user comes or goes, and none for short disconnects."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from handlers.kit.context import Context
from handlers.kit.ids import new_id
from handlers.kit.rules import KitRules
from handlers.platform.presence import service
from storage.platform.presence import insert_holding, list_presences, lock_presence, update_presence
from tests.consulting.waiting_room.scenes import lose_instance, refusal_of
from tests.world import both_databases, until, with_server

PRESENCE = "/presence"
GRACE_S = 0.4
PRESENCE_EVENTS = ("USER_ONLINE", "USER_OFFLINE")

pytestmark = [pytest.mark.settings(PARLEY_PRESENCE_GRACE_S=str(GRACE_S)), with_server]


def presence_events(person):
    """The online and offline events that a person received."""
    return [
        (one.name, one.data["user_id"])
        for one in person.client.heard
        if one.name in PRESENCE_EVENTS
    ]


async def state_of(person, other):
    answer = await person.call(PRESENCE, "watch", user_ids=[other.id])
    return answer["states"][other.id]


async def wait_until_reported(world):
    """Wait until no change of presence is being reported."""
    await until(lambda: not world.app.gate.presence._reporting)


async def wait_until_disconnected(world, *people):
    """Wait until the server counts no device of these people."""
    await until(lambda: not any(world.app.gate.people.count(one.id) for one in people))


@pytest.fixture
async def ana(world):
    return await world.person("ana")


@pytest.fixture
async def ben(world):
    return await world.person("ben")


async def test_watchers_receive_online_and_offline_events(world, ana, ben):
    assert KitRules().presence_grace_s == 10
    assert await state_of(ana, ben) == {"online": False, "status": "active", "last_seen_at": None}
    bystander = await world.person("bea")
    await bystander.enter(PRESENCE)
    await ben.enter("/profile")  # any namespace counts
    online = await ana.event("USER_ONLINE")
    assert set(online.data) == {"user_id", "at"}
    assert online.data["user_id"] == ben.id
    assert "seq" not in online.meta
    state = await state_of(ana, ben)
    assert state == {"online": True, "status": "active", "last_seen_at": online.data["at"]}
    left_at = world.clock.now()
    await ben.client.close()
    offline = await ana.event("USER_OFFLINE")
    assert offline.data["user_id"] == ben.id
    assert datetime.fromisoformat(offline.data["at"]) >= left_at + timedelta(seconds=GRACE_S)
    state = await state_of(ana, ben)
    assert state == {"online": False, "status": "active", "last_seen_at": offline.data["at"]}
    assert presence_events(ana) == [("USER_ONLINE", ben.id), ("USER_OFFLINE", ben.id)]
    assert presence_events(bystander) == []
    assert [one["user_id"] for one in await world.stored("USER_OFFLINE")] == [ben.id]
    assert [one["user_id"] for one in await world.stored("USER_ONLINE")].count(ben.id) == 1


async def test_unwatching_ends_presence_events(world, ana, ben):
    cem = await world.person("cem")
    missing = new_id(world.clock.now())
    ids = [ben.id, cem.id, missing]
    answer = await ana.call(PRESENCE, "watch", user_ids=ids)
    assert set(answer["states"]) == {ben.id, cem.id}  # unknown users have no state
    answer = await ana.call(PRESENCE, "unwatch", user_ids=[ben.id, missing])
    assert set(answer["states"]) == {ben.id}
    await ben.enter("/profile")
    await cem.enter("/profile")
    await ana.event("USER_ONLINE", lambda data: data["user_id"] == cem.id)
    assert presence_events(ana) == [("USER_ONLINE", cem.id)]
    for wrong in ([], ["nobody"], [ben.id] * 501):
        assert await refusal_of(ana, PRESENCE, "watch", user_ids=wrong) == "INVALID"
        assert await refusal_of(ana, PRESENCE, "unwatch", user_ids=wrong) == "INVALID"


async def test_several_devices_count_as_one_user(world, ana, ben):
    await state_of(ana, ben)
    await ben.enter("/profile")
    phone = await ben.device()
    await phone.enter("/chat")
    await ana.event("USER_ONLINE")
    await ben.client.close()
    await until(lambda: world.app.gate.people.count(ben.id) == 1)
    await wait_until_reported(world)
    assert (await state_of(ana, ben))["online"] is True
    await phone.close()
    await ana.event("USER_OFFLINE")
    assert presence_events(ana) == [("USER_ONLINE", ben.id), ("USER_OFFLINE", ben.id)]


async def test_a_reconnect_within_the_grace_period_sends_no_events(world, ana, ben):
    await state_of(ana, ben)
    await ben.enter("/profile")
    await ana.event("USER_ONLINE")
    device = ben.client
    for _ in range(3):
        await device.close()
        await wait_until_disconnected(world, ben)
        device = await ben.device()
        await device.enter("/profile")
    await wait_until_reported(world)
    assert presence_events(ana) == [("USER_ONLINE", ben.id)]
    assert len([one for one in await world.stored("USER_OFFLINE") if one["user_id"] == ben.id]) == 0


async def test_the_grace_period_restarts_with_each_disconnect(world, ana, ben):
    await state_of(ana, ben)
    await ben.enter("/profile")
    await ana.event("USER_ONLINE")
    first_left_at = world.clock.now()
    await ben.client.close()
    await wait_until_disconnected(world, ben)
    almost = first_left_at + timedelta(seconds=GRACE_S * 0.6)
    await until(lambda: world.clock.now() > almost)
    phone = await ben.device()
    await phone.enter("/profile")
    left_at = world.clock.now()
    await phone.close()
    offline = await ana.event("USER_OFFLINE")
    assert datetime.fromisoformat(offline.data["at"]) >= left_at + timedelta(seconds=GRACE_S)


async def test_a_status_change_is_sent_to_watchers_as_an_ephemeral_event(world, ana, ben):
    await ben.enter(PRESENCE)
    await state_of(ana, ben)
    bystander = await world.person("bea")
    await bystander.enter(PRESENCE)
    for status in ("busy", "busy", "away", "active"):
        assert await ben.call(PRESENCE, "set_status", status=status) == {}
    await ana.client.until(lambda: len(ana.events("status_changed")) == 3)
    received = ana.events("status_changed")
    assert [one.data for one in received] == [
        {"user_id": ben.id, "status": status} for status in ("busy", "away", "active")
    ]
    assert all("seq" not in one.meta for one in received)
    assert bystander.events("status_changed") == []
    await ben.call(PRESENCE, "set_status", status="busy")
    await ben.client.close()
    await ana.event("USER_OFFLINE")
    state = await state_of(ana, ben)
    assert (state["online"], state["status"]) == (False, "busy")
    assert await refusal_of(ana, PRESENCE, "set_status", status="offline") == "INVALID"


@both_databases
async def test_setting_a_status_while_coming_online_keeps_both(world, ana):
    people = [await world.person(f"person{number}") for number in range(8)]
    await asyncio.gather(*(one.call(PRESENCE, "set_status", status="away") for one in people))
    await wait_until_reported(world)
    answer = await ana.call(PRESENCE, "watch", user_ids=[one.id for one in people])
    found = {(state["online"], state["status"]) for state in answer["states"].values()}
    assert found == {(True, "away")}


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_states_are_correct_again_after_a_crash(process):
    ana, ben, cem = [await process.sign_up(name) for name in ("ana", "ben", "cem")]
    for one in (ana, ben, cem):
        await one.enter(PRESENCE)
    await until(lambda: _have_online_states(ana, {ana: True, ben: True, cem: True}))
    process.kill()
    killed_at = datetime.now(UTC)
    await process.start()
    ana.client, ben.client = await ana.device(), await ben.device()
    await ben.enter(PRESENCE)
    await until(lambda: _have_online_states(ana, {ana: True, ben: True, cem: False}))
    seen = (await state_of(ana, cem))["last_seen_at"]
    assert datetime.fromisoformat(seen) <= killed_at


async def test_unknown_users_are_not_watched(world, ana, ben):
    nobodies = [new_id(world.clock.now()) for _ in range(50)]
    await ana.call(PRESENCE, "watch", user_ids=[*nobodies, ben.id])
    assert world.app.rooms.counts()["listened"] == 1


async def test_the_number_of_users_a_connection_watches_is_limited(world, ana, ben, monkeypatch):
    monkeypatch.setattr("server.session.LISTENS_MAX", 2)
    cem, dan = await world.person("cem"), await world.person("dan")
    for _ in range(3):
        await ana.call(PRESENCE, "watch", user_ids=[ben.id])  # watching again does not count
    too_many = {"user_ids": [cem.id, dan.id]}
    assert await refusal_of(ana, PRESENCE, "watch", **too_many) == "TOO_MANY"
    assert world.app.rooms.counts()["listened"] == 1
    await ana.call(PRESENCE, "unwatch", user_ids=[ben.id])
    answer = await ana.call(PRESENCE, "watch", **too_many)
    assert set(answer["states"]) == {cem.id, dan.id}


def set_online_on_instance(tx, instance_id, person):
    """Set the person online with a device on another instance."""
    row = lock_presence(tx, person.id, tx.now)
    row.online = True
    update_presence(tx, row, tx.now)
    insert_holding(tx, person.id, instance_id)


async def test_users_of_a_dead_instance_go_offline_in_batches(world, monkeypatch):
    monkeypatch.setattr("handlers.platform.presence.consumers.USERS_BATCH", 2)
    people = [await world.person(f"person{number}") for number in range(5)]
    for one in people:
        await world.transact(set_online_on_instance, "dead", one)
    at = world.clock.now()
    await lose_instance(world, "dead", at)
    states = await world.read(list_presences, [one.id for one in people])
    assert all(state.online for state in states.values())  # within the grace period
    world.clock.advance(world.app.kernel.rules.of(KitRules).presence_grace_s)
    await world.settle()
    states = await world.read(list_presences, [one.id for one in people])
    assert {(state.online, state.last_seen_at) for state in states.values()} == {(False, at)}
    assert len(await world.stored("PRESENCE_INSTANCE_GONE")) == 3


async def _have_online_states(watcher, expected):
    """Whether the online states of these people are as expected."""
    answer = await watcher.call(PRESENCE, "watch", user_ids=[one.id for one in expected])
    return all(answer["states"][one.id]["online"] == there for one, there in expected.items())


async def test_a_user_who_comes_online_during_watch_is_reported_again(world, monkeypatch):
    """The answer can be older than an event sent before it, so the event is sent again."""
    ana, ben = await world.person("ana"), await world.person("ben")
    await ana.enter(PRESENCE)
    read = Context.read

    async def read_and_wait(ctx, work, *args):
        states = await read(ctx, work, *args)
        if work is service.get_states:
            await ben.enter(PRESENCE)
            await until(lambda: presence_events(ana))
        return states

    monkeypatch.setattr(Context, "read", read_and_wait)
    assert not (await state_of(ana, ben))["online"]
    await until(lambda: presence_events(ana) == [("USER_ONLINE", ben.id)] * 2)


async def test_a_resync_sends_changed_states_in_pages(world, ana, ben, monkeypatch):
    monkeypatch.setattr(service, "RESYNC_PAGE", 1)
    for person in (ana, ben):
        await person.call(PRESENCE, "set_status", status="away")
    since, after, resent = world.clock.now() - timedelta(hours=1), "", []
    while True:
        page, after = await world.read(service.resync, since, after)
        assert len({one.data.user_id for one in page}) <= 1
        resent += page
        if not after:
            break
    assert {one.data.user_id for one in resent} == {ana.id, ben.id}
