"""Whether people are there: told to those who watch, once, and not at every lost connection."""

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
TOLD = ("USER_ONLINE", "USER_OFFLINE")

pytestmark = pytest.mark.settings(PARLEY_PRESENCE_GRACE_S=str(GRACE_S))


def told(person):
    """What a person heard of others' coming and going."""
    return [(one.name, one.data["user_id"]) for one in person.client.heard if one.name in TOLD]


async def state_of(person, other):
    answer = await person.call(PRESENCE, "watch", user_ids=[other.id])
    return answer["states"][other.id]


async def looked_after(world):
    """Wait until nobody's coming or going is being looked at."""
    await until(lambda: not world.app.gate.presence._reporting)


async def gone(world, *people):
    """Wait until the server knows that these people have no device any more."""
    await until(lambda: not any(world.app.gate.people.count(one.id) for one in people))


@pytest.fixture
async def ana(world):
    return await world.person("ana")


@pytest.fixture
async def ben(world):
    return await world.person("ben")


async def test_who_watches_hears_of_coming_and_going(world, ana, ben):
    assert KitRules().presence_grace_s == 10
    assert await state_of(ana, ben) == {"online": False, "status": "active", "last_seen_at": None}
    bystander = await world.person("bea")
    await bystander.enter(PRESENCE)
    await ben.enter("/profile")  # any namespace will do
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
    assert told(ana) == [("USER_ONLINE", ben.id), ("USER_OFFLINE", ben.id)]
    assert told(bystander) == []
    assert [one["user_id"] for one in await world.stored("USER_OFFLINE")] == [ben.id]
    assert [one["user_id"] for one in await world.stored("USER_ONLINE")].count(ben.id) == 1


async def test_unwatching_is_hearing_no_more(world, ana, ben):
    cem = await world.person("cem")
    missing = new_id(world.clock.now())
    ids = [ben.id, cem.id, missing]
    answer = await ana.call(PRESENCE, "watch", user_ids=ids)
    assert set(answer["states"]) == {ben.id, cem.id}  # who does not exist has no state
    answer = await ana.call(PRESENCE, "unwatch", user_ids=[ben.id, missing])
    assert set(answer["states"]) == {ben.id}
    await ben.enter("/profile")
    await cem.enter("/profile")
    await ana.event("USER_ONLINE", lambda data: data["user_id"] == cem.id)
    assert told(ana) == [("USER_ONLINE", cem.id)]
    for wrong in ([], ["nobody"], [ben.id] * 501):
        assert await refusal_of(ana, PRESENCE, "watch", user_ids=wrong) == "INVALID"
        assert await refusal_of(ana, PRESENCE, "unwatch", user_ids=wrong) == "INVALID"


async def test_several_devices_are_one_person(world, ana, ben):
    await state_of(ana, ben)
    await ben.enter("/profile")
    phone = await ben.device()
    await phone.enter("/chat")
    await ana.event("USER_ONLINE")
    await ben.client.close()
    await until(lambda: world.app.gate.people.count(ben.id) == 1)
    await looked_after(world)
    assert (await state_of(ana, ben))["online"] is True
    await phone.close()
    await ana.event("USER_OFFLINE")
    assert told(ana) == [("USER_ONLINE", ben.id), ("USER_OFFLINE", ben.id)]


async def test_a_reconnect_inside_the_grace_flaps_nothing(world, ana, ben):
    await state_of(ana, ben)
    await ben.enter("/profile")
    await ana.event("USER_ONLINE")
    device = ben.client
    for _ in range(3):
        await device.close()
        await gone(world, ben)
        device = await ben.device()
        await device.enter("/profile")
    await looked_after(world)
    assert told(ana) == [("USER_ONLINE", ben.id)]
    assert len([one for one in await world.stored("USER_OFFLINE") if one["user_id"] == ben.id]) == 0


async def test_the_grace_counts_from_the_last_time_that_the_last_device_left(world, ana, ben):
    await state_of(ana, ben)
    await ben.enter("/profile")
    await ana.event("USER_ONLINE")
    first_left_at = world.clock.now()
    await ben.client.close()
    await gone(world, ben)
    almost = first_left_at + timedelta(seconds=GRACE_S * 0.6)
    await until(lambda: world.clock.now() > almost)
    phone = await ben.device()
    await phone.enter("/profile")
    left_at = world.clock.now()
    await phone.close()
    offline = await ana.event("USER_OFFLINE")
    assert datetime.fromisoformat(offline.data["at"]) >= left_at + timedelta(seconds=GRACE_S)


@with_server
async def test_a_status_is_said_ephemerally_to_those_who_watch(world, ana, ben):
    await ben.enter(PRESENCE)
    await state_of(ana, ben)
    bystander = await world.person("bea")
    await bystander.enter(PRESENCE)
    for status in ("busy", "busy", "away", "active"):
        assert await ben.call(PRESENCE, "set_status", status=status) == {}
    await ana.client.until(lambda: len(ana.events("status_changed")) == 3)
    heard = ana.events("status_changed")
    assert [one.data for one in heard] == [
        {"user_id": ben.id, "status": status} for status in ("busy", "away", "active")
    ]
    assert all("seq" not in one.meta for one in heard)
    assert bystander.events("status_changed") == []
    await ben.call(PRESENCE, "set_status", status="busy")
    await ben.client.close()
    await ana.event("USER_OFFLINE")
    state = await state_of(ana, ben)
    assert (state["online"], state["status"]) == (False, "busy")
    assert await refusal_of(ana, PRESENCE, "set_status", status="offline") == "INVALID"


@both_databases
async def test_a_status_set_while_coming_online_loses_neither(world, ana):
    people = [await world.person(f"person{number}") for number in range(8)]
    await asyncio.gather(*(one.call(PRESENCE, "set_status", status="away") for one in people))
    await looked_after(world)
    answer = await ana.call(PRESENCE, "watch", user_ids=[one.id for one in people])
    found = {(state["online"], state["status"]) for state in answer["states"].values()}
    assert found == {(True, "away")}


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_after_a_kill_the_states_are_true_again(process):
    ana, ben, cem = [await process.sign_up(name) for name in ("ana", "ben", "cem")]
    for one in (ana, ben, cem):
        await one.enter(PRESENCE)
    await until(lambda: _are(ana, {ana: True, ben: True, cem: True}))
    process.kill()
    killed_at = datetime.now(UTC)
    await process.start()
    ana.client, ben.client = await ana.device(), await ben.device()
    await ben.enter(PRESENCE)
    await until(lambda: _are(ana, {ana: True, ben: True, cem: False}))
    seen = (await state_of(ana, cem))["last_seen_at"]
    assert datetime.fromisoformat(seen) <= killed_at


async def test_nobody_is_watched_who_does_not_exist(world, ana, ben):
    nobodies = [new_id(world.clock.now()) for _ in range(50)]
    await ana.call(PRESENCE, "watch", user_ids=[*nobodies, ben.id])
    assert world.app.rooms.counts()["listened"] == 1


async def test_a_connection_watches_so_many_and_no_more(world, ana, ben, monkeypatch):
    monkeypatch.setattr("server.session.LISTENS_MAX", 2)
    cem, dan = await world.person("cem"), await world.person("dan")
    for _ in range(3):
        await ana.call(PRESENCE, "watch", user_ids=[ben.id])  # again is not more
    too_many = {"user_ids": [cem.id, dan.id]}
    assert await refusal_of(ana, PRESENCE, "watch", **too_many) == "TOO_MANY"
    assert world.app.rooms.counts()["listened"] == 1
    await ana.call(PRESENCE, "unwatch", user_ids=[ben.id])
    answer = await ana.call(PRESENCE, "watch", **too_many)
    assert set(answer["states"]) == {cem.id, dan.id}


def be_held_by(tx, instance_id, person):
    """Be online by a device on another instance."""
    row = lock_presence(tx, person.id, tx.now)
    row.online = True
    update_presence(tx, row, tx.now)
    insert_holding(tx, person.id, instance_id)


async def test_people_of_a_dead_instance_are_let_go_a_few_at_a_time(world, monkeypatch):
    monkeypatch.setattr("handlers.platform.presence.consumers.USERS_BATCH", 2)
    people = [await world.person(f"person{number}") for number in range(5)]
    for one in people:
        await world.transact(be_held_by, "dead", one)
    at = world.clock.now()
    await lose_instance(world, "dead", at)
    states = await world.read(list_presences, [one.id for one in people])
    assert all(state.online for state in states.values())  # they have the grace to come back
    world.clock.advance(world.app.kernel.rules.of(KitRules).presence_grace_s)
    await world.settle()
    states = await world.read(list_presences, [one.id for one in people])
    assert {(state.online, state.last_seen_at) for state in states.values()} == {(False, at)}
    assert len(await world.stored("PRESENCE_INSTANCE_GONE")) == 3


async def _are(watcher, expected):
    """Whether these people are there, or not, as `expected` says."""
    answer = await watcher.call(PRESENCE, "watch", user_ids=[one.id for one in expected])
    return all(answer["states"][one.id]["online"] == there for one, there in expected.items())


async def test_who_comes_while_the_answer_is_read_is_there_in_the_end(world, monkeypatch):
    """The answer may be older than an ephemeral event before it, which is then sent again."""
    ana, ben = await world.person("ana"), await world.person("ben")
    await ana.enter(PRESENCE)
    read = Context.read

    async def read_and_dawdle(ctx, work, *args):
        states = await read(ctx, work, *args)
        if work is service.get_states:
            await ben.enter(PRESENCE)
            await until(lambda: told(ana))
        return states

    monkeypatch.setattr(Context, "read", read_and_dawdle)
    assert not (await state_of(ana, ben))["online"]
    await until(lambda: told(ana) == [("USER_ONLINE", ben.id)] * 2)


async def test_a_crowd_that_changed_is_retold_page_by_page(world, ana, ben, monkeypatch):
    monkeypatch.setattr(service, "RESYNC_PAGE", 1)
    for person in (ana, ben):
        await person.call(PRESENCE, "set_status", status="away")
    since, after, retold = world.clock.now() - timedelta(hours=1), "", []
    while True:
        page, after = await world.read(service.resync, since, after)
        assert len({one.data.user_id for one in page}) <= 1
        retold += page
        if not after:
            break
    assert {one.data.user_id for one in retold} == {ana.id, ben.id}
