"""The clock steps back by an hour: order, sessions, timers and instances are not affected."""

import asyncio
import time
from datetime import timedelta

import pytest

from storage.events.instances import list_silent
from tests.kit.probe import NAMESPACE, Say, say_it
from tests.kit.wire import Raw
from tests.platform.chat.scenes import say, talk, texts
from tests.world import World, until

HOUR_S = 3_600


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("server.heartbeat.CONFIRM_EVERY_S", 0.05)
    monkeypatch.setattr("server.relay.SWEEP_EVERY_S", 0.1)
    monkeypatch.setattr("server.timers.LOOK_EVERY_S", 0.1)


def step_back(world: World) -> None:
    world.clock.advance(-HOUR_S)


async def said(world: World) -> list[str]:
    return [event["text"] for event in await world.stored("PROBE_SAID")]


async def noted(world: World) -> list[str]:
    return [event["text"] for event in await world.stored("PROBE_NOTED")]


# Order.


async def test_messages_keep_their_order_across_the_step(world, ana, ben):
    here = await talk(ana, ben)
    before = [await say(ana, here, text) for text in ("one", "two")]
    step_back(world)
    after = [await say(ana, here, text) for text in ("three", "four")]
    numbers = [message["seq"] for message in (*before, *after)]
    assert numbers == list(range(numbers[0], numbers[0] + 4))
    await ben.event("MESSAGE_SENT", lambda data: data["message"]["text"] == "four")
    assert [event.meta["seq"] for event in ben.events("MESSAGE_SENT")] == numbers
    assert await texts(ben, here) == ["one", "two", "three", "four"]
    assert await texts(ben, here, before_seq=numbers[2]) == ["one", "two"]
    (listed,) = (await ben.call("/chat", "list"))["conversations"]
    assert (listed["last_message"]["text"], listed["unread"]) == ("four", 4)


async def test_a_replay_has_the_events_before_and_after_the_step(world, ana, ben):
    here = await talk(ana, ben)
    first = await say(ana, here, "one")
    await ben.client.close()
    await say(ana, here, "two")
    step_back(world)
    await say(ana, here, "three")
    back = await ben.device()
    await back.enter("/chat", token=ben.token, since={f"chat:{here}": first["seq"]})
    heard = [event.data["message"]["text"] for event in back.events("MESSAGE_SENT")]
    assert heard == ["two", "three"]
    assert back.synced["/chat"]["rooms"][f"chat:{here}"]["recovered"]


async def test_read_marks_are_published_at_once_after_the_step(world, ana, ben):
    here = await talk(ana, ben)
    seqs = [(await say(ana, here, text))["seq"] for text in ("one", "two")]
    for seq in seqs:
        await ben.call("/chat", "mark_read", conversation_id=here, seq=seq)
        await ana.event("MESSAGE_READ", lambda data, s=seq: data["seq"] == s)
        step_back(world)


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_events_of_an_instance_reach_the_others_after_its_clock_steps(make_world):
    one, other = [await make_world() for _ in range(2)]
    ana = await other.person("ana")
    await ana.enter(NAMESPACE)
    for text in ("before", "after"):
        await one.transact(say_it, Say(text=text, room=f"user:{ana.id}"))
        await ana.event("PROBE_SAID", lambda data, t=text: data["text"] == t)
        step_back(one)


# Sessions.


async def test_sessions_and_their_tokens_stay_valid(world, ana):
    before = ana.token
    step_back(world)
    for token in (before, ana.token):
        device = await world.connect(token)
        await device.enter("/profile")
        assert (await device.call("/profile", "me"))["id"] == ana.id
    visitor = await world.visitor("/auth")
    spent = ana.session["refresh_token"]
    fresh = await visitor.call("/auth", "refresh", refresh_token=spent)
    repeated = await visitor.call("/auth", "refresh", refresh_token=spent)
    assert repeated["refresh_token"] == fresh["refresh_token"] != spent
    await (await world.connect(fresh["access_token"])).enter("/profile")


# Timers and deliveries.


async def test_a_timer_that_has_fired_does_not_fire_again(world, ana):
    await ana.call(NAMESPACE, "say_later", text="once", after_s=10)
    world.clock.advance(11)
    await world.settle()
    step_back(world)
    for _ in range(3):
        await world.settle()
        world.clock.advance(HOUR_S / 2 + 10)
    assert await said(world) == await noted(world) == ["once"]


async def test_timers_set_before_and_after_the_step_fire_at_their_times(world, ana):
    await ana.call(NAMESPACE, "say_later", text="set before", after_s=10, timer="before")
    step_back(world)
    await ana.call(NAMESPACE, "say_later", text="set after", after_s=10, timer="after")
    await world.settle()
    assert await said(world) == []
    world.clock.advance(11)
    await world.settle()
    assert await said(world) == ["set after"]
    world.clock.advance(HOUR_S)
    await world.settle()
    assert await said(world) == ["set after", "set before"]


@pytest.mark.settings(PARLEY_CONSUMER_BACKOFF_S="0.2")
async def test_a_delivery_that_failed_before_the_step_is_retried_soon(world, switches):
    switches.broken.add("news")
    await world.transact(say_it, Say(text="news", room="hall"))
    await until(lambda: switches.attempts["news"])
    step_back(world)
    switches.broken.clear()
    await until(lambda: noted(world))
    await world.settle()
    assert await noted(world) == ["news"]


# Limits.


@pytest.mark.settings(
    PARLEY_LIMITS="default", PARLEY_COMMANDS_BURST="5", PARLEY_COMMANDS_PER_S="20"
)
async def test_a_rate_limited_client_does_not_wait_longer_after_the_step(world, ana, monkeypatch):
    real = time.time
    await ana.enter(NAMESPACE)
    step_back(world)
    monkeypatch.setattr("time.time", lambda: real() - HOUR_S)
    answers = [await ana.client.ask(NAMESPACE, "echo", {"text": "hello"}) for _ in range(20)]
    refused = [answer["error"] for answer in answers if not answer["ok"]]
    assert refused
    assert all(error["retry_after_s"] < 1 for error in refused)
    await asyncio.sleep(refused[-1]["retry_after_s"])
    assert (await ana.client.ask(NAMESPACE, "echo", {"text": "again"}))["ok"]


# Instances.


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
async def test_no_instance_is_declared_dead(make_world):
    worlds = [await make_world() for _ in range(3)]
    ids = [world.app.kernel.instance_id for world in worlds]
    step_back(worlds[0])
    await until(lambda: all_confirmed_by(worlds[0]))
    assert [world.app.kernel.instance_id for world in worlds] == ids
    assert await worlds[0].stored("INSTANCE_LOST") == []


async def all_confirmed_by(world: World) -> bool:
    """Whether the latest heartbeat of every instance is at or before the current time."""
    now = world.clock.now()
    known = await world.read(lambda tx: list_silent(tx, now + timedelta(days=1), ""))
    return all(instance.confirmed_at <= now for instance in known)


async def test_a_dead_client_that_was_pinged_before_the_step_is_disconnected(
    make_world, monkeypatch
):
    monkeypatch.setattr("server.socket.PING_EVERY_S", 0.1)
    monkeypatch.setattr("server.socket.PING_TIMEOUT_S", 0.2)
    world, real = await make_world(), time.time
    await Raw(world).open()  # never answers a PING
    (socket,) = world.app.sockets.eio.sockets.values()
    await until(lambda: socket.last_ping)
    monkeypatch.setattr("time.time", lambda: real() - HOUR_S)
    await until(lambda: not world.app.sockets.connections)
