"""Two instances with one PostgreSQL and one Redis."""

import aiohttp
import pytest

from rooms import gaps, redis_bus, redis_client
from tests.kit.probe import NAMESPACE
from tests.world import World, until

pytestmark = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)


@pytest.fixture
async def both(make_world, redis_server, monkeypatch) -> tuple[World, World]:
    monkeypatch.setattr(redis_bus, "ECHO_EVERY_S", 0.05)
    monkeypatch.setattr(redis_bus, "DEAF_AFTER_S", 3.0)
    monkeypatch.setattr(redis_bus, "READ_WITHIN_S", 1.0)
    monkeypatch.setattr(redis_bus, "RECONNECT_AFTER_S", (0.05, 0.1))
    monkeypatch.setattr(redis_client, "ANSWERED_WITHIN_S", 5.0)  # even under load
    monkeypatch.setattr(gaps, "SWEEP_EVERY_S", 3_600)  # events that Redis loses stay lost
    one = await make_world(PARLEY_REDIS_URL=redis_server.url)
    other = await make_world(PARLEY_REDIS_URL=redis_server.url)
    await until(lambda: one.app.bus.well and other.app.bus.well)
    return one, other


async def readiness(world: World) -> int:
    async with aiohttp.ClientSession() as http, http.get(f"{world.url}/health/ready") as answer:
        return answer.status


async def is_readiness(world: World, status: int) -> bool:
    return await readiness(world) == status


async def test_users_on_two_instances_chat_and_see_typing(both):
    one, other = both
    ana, ben = await one.person("ana"), await other.person("ben")
    for person in (ana, ben):
        await person.enter("/chat")
    conversation = await ana.call("/chat", "open", user_id=ben.id)
    await ben.event("CONVERSATION_OPENED")
    here = {"conversation_id": conversation["id"]}
    await ana.call("/chat", "send", **here, client_id="1", text="Are you there?")
    heard = await ben.event("MESSAGE_SENT")
    assert heard.data["message"]["text"] == "Are you there?"

    async def is_seen() -> bool:  # a client that is just entering can miss it
        await ben.call("/chat", "typing", **here)
        return bool(ana.events("typing"))

    await until(is_seen)
    assert ana.events("typing")[0].data["user_id"] == ben.id
    assert ben.events("typing") == []


async def test_marks_from_two_instances_are_gathered_and_told_on_both(both):
    one, other = both
    people = [await (one, other)[number % 2].person(f"p{number}") for number in range(6)]
    for person in people:
        await person.enter("/chat")
    ana, ben, *_ = people
    others = [person.id for person in people[1:]]
    group = await ana.call("/chat", "create_group", name="Both", member_ids=others)
    here = {"conversation_id": group["id"]}
    said = await ana.call("/chat", "send", **here, client_id="1", text="Have you read this?")
    for watcher in (ana, ben):
        await watcher.call("/chat", "watch", **here)
    for reader in people[1:]:
        await reader.call("/chat", "mark_read", **here, seq=said["seq"])
    for world in both:
        world.clock.advance(5)
        await world.settle()
    read = dict.fromkeys(others, said["seq"])
    for watcher in (ana, ben):
        await watcher.event("MARKS_GATHERED", lambda data: data["read"] == read)


async def test_a_session_that_ends_on_one_instance_ends_on_the_other(both):
    one, other = both
    ana = await one.person("ana")
    laptop = await other.connect(ana.token)
    await laptop.enter("/profile")
    door = await one.visitor("/auth")
    await door.call("/auth", "logout", refresh_token=ana.session["refresh_token"])
    await until(laptop.closed.is_set)


async def test_an_instance_without_redis_is_not_ready(both, redis_server):
    one, _ = both
    assert await readiness(one) == 200
    redis_server.freeze()
    try:
        await until(lambda: is_readiness(one, 503))
        ana = await one.person("ana")
        assert await ana.call(NAMESPACE, "echo", text="who is here is served all the same")
    finally:
        redis_server.thaw()
    await until(lambda: is_readiness(one, 200))


async def watch(watcher, person) -> None:
    await watcher.enter("/presence")
    await watcher.call("/presence", "watch", user_ids=[person.id])


async def is_online(person) -> bool:
    """Whether the presence of a user is stored."""
    states = (await person.call("/presence", "unwatch", user_ids=[person.id]))["states"]
    return states[person.id]["online"]


async def test_a_watcher_gets_presence_of_another_instance_at_once(both, monkeypatch):
    monkeypatch.setattr(redis_client, "ANSWERED_WITHIN_S", 2.0)  # even under load
    one, other = both
    for world in both:
        await world.app.resync.stop()
    ana, ben = await one.person("ana"), await other.person("ben")
    await watch(ben, ana)
    await ana.enter("/presence")
    await ben.event("USER_ONLINE")


async def test_a_lost_ephemeral_event_is_sent_again_from_stored_state(both, redis_server):
    one, other = both
    ana, ben = await one.person("ana"), await other.person("ben")
    await watch(ben, ana)
    redis_server.kill()
    await ana.enter("/presence")
    await until(lambda: is_online(ana))
    await ana.call("/presence", "set_status", status="busy")
    assert ben.events("USER_ONLINE") == []
    for _ in range(3):
        await other.app.resync.resync()
    heard = await ben.event("status_changed")
    assert heard.data == {"user_id": ana.id, "status": "busy"}
    assert len(ben.events("USER_ONLINE")) == len(ben.events("status_changed")) == 1


async def test_a_received_ephemeral_event_is_not_sent_again(both):
    one, other = both
    ana, ben = await one.person("ana"), await other.person("ben")
    await watch(ben, ana)
    await ana.enter("/presence")
    await ana.call("/presence", "set_status", status="busy")
    await ben.event("status_changed")
    await other.app.resync.resync()
    await ben.call("/presence", "watch", user_ids=[ana.id])
    assert len(ben.events("USER_ONLINE")) == len(ben.events("status_changed")) == 1


async def test_a_blocked_user_gets_no_presence_from_another_instance(both):
    one, other = both
    ana, ben, cleo = await one.person("ana"), await other.person("ben"), await other.person("cleo")
    for watcher in (ben, cleo):
        await watch(watcher, ana)
    await ana.call("/chat", "block", user_id=ben.id)
    await ana.call("/presence", "set_status", status="busy")
    await cleo.event("status_changed")
    await other.app.resync.resync()
    await ana.call("/presence", "set_status", status="away")
    await cleo.event("status_changed", lambda data: data["status"] == "away")
    assert ben.events("status_changed") == []
    states = (await ben.call("/presence", "watch", user_ids=[ana.id]))["states"]
    assert states[ana.id] == {"online": False, "status": "active", "last_seen_at": None}
