"""Connections open, enter their rooms and close, and leave no state behind."""

import asyncio
import json
from collections import Counter
from datetime import timedelta

import pytest

from handlers.kit.transaction import Transaction
from rooms.names import user
from server.connection_gate import PROTOCOL
from tests.kit import probe as probes
from tests.kit.probe import NAMESPACE, Say, Switches, move, say_it
from tests.kit.wire import Poller, Raw, begin_to_enter, events_in
from tests.wire_client import Client, Refused
from tests.world import World, both_databases, one_database, until


async def say_to(world: World, room: str, *texts: str):
    for text in texts:
        await world.transact(say_it, Say(text=text, room=room))


def heard_by(client: Client) -> list[str]:
    return [heard.data["text"] for heard in client.events("PROBE_SAID")]


# Connecting.


@one_database
@pytest.mark.parametrize(
    ("namespace", "auth", "code"),
    [
        ("/profile", {}, "TOKEN_MISSING"),
        ("/profile", {"token": None}, "TOKEN_MISSING"),
        ("/profile", {"token": ""}, "TOKEN_MISSING"),
        ("/profile", {"token": 7}, "TOKEN_MISSING"),
        ("/profile", {"token": "nonsense"}, "TOKEN_INVALID"),
        ("/probe", {"token": "nonsense"}, "TOKEN_INVALID"),
        ("/nowhere", {}, "UNKNOWN_NAMESPACE"),
        ("/", {}, "UNKNOWN_NAMESPACE"),
    ],
)
async def test_a_refused_connection_gets_its_reason(world, namespace, auth, code):
    stranger = await world.connect()
    with pytest.raises(Refused) as refused:
        await stranger.enter(namespace, **auth)
    assert refused.value.code == code
    assert refused.value.error["message"]
    await stranger.enter("/auth")  # the connection itself stays open


async def test_a_connection_belongs_to_one_session(world, ana):
    await ana.enter("/profile")
    other = await world.another_session(ana)
    with pytest.raises(Refused) as refused:
        await ana.client.enter(NAMESPACE, token=other.token)
    assert refused.value.code == "TOKEN_INVALID"
    world.clock.advance(60)  # a newer token of the same session
    await ana.enter(NAMESPACE)


async def test_a_visitors_socket_stays_a_visitors(world, ana):
    visitor = await world.visitor(NAMESPACE)
    await visitor.enter("/profile", token=ana.token)
    with pytest.raises(Refused) as refused:
        await visitor.call(NAMESPACE, "say", text="as a visitor")
    assert refused.value.code == "FORBIDDEN"
    assert visitor.synced[NAMESPACE]["rooms"] == {}
    assert (await visitor.call("/profile", "me"))["id"] == ana.id


async def test_a_refused_client_gets_nothing(world, ana):
    refused = await world.connect()
    with pytest.raises(Refused):
        await refused.enter(NAMESPACE, token="nonsense")
    await ana.enter(NAMESPACE)
    await ana.call(NAMESPACE, "say", text="not for everybody")
    await ana.event("PROBE_SAID")
    await refused.enter("/auth")
    assert refused.events("PROBE_SAID") == []


@one_database
async def test_a_command_before_connect_is_not_carried_out(world, ana):
    await ana.client.ws.send_str(f'42{NAMESPACE},1["say",{{"text":"too early"}}]')
    await ana.enter(NAMESPACE)
    assert await world.stored("PROBE_SAID") == []


async def test_commands_sent_together_with_connect_are_answered_after_synced(world, ana):
    await begin_to_enter(ana.client, NAMESPACE, token=ana.token)
    answer = await ana.client.ask(NAMESPACE, "say", {"text": "at once"})
    assert answer["ok"]
    names = [frame.partition("[")[2][:10] for frame in ana.client.frames if frame[:2] == "42"]
    assert names == ['"synced",{', '"PROBE_SAI']


@one_database
async def test_entering_a_namespace_twice_sends_nothing_twice(world, ana):
    await say_to(world, user(ana.id), "one", "two")
    poller = await Poller(world).open()
    auth = json.dumps({"token": ana.token, "since": {user(ana.id): 0}})
    for _ in range(2):
        await poller.post(f"40{NAMESPACE},{auth}")
        while '"synced"' not in "".join(poller.frames):
            await poller.poll()
    await say_to(world, user(ana.id), "three")
    while '"three"' not in "".join(poller.frames):
        await poller.poll()
    assert [meta["seq"] for _, meta in events_in(poller.frames, "PROBE_SAID")] == [1, 2, 3]


@one_database
async def test_a_room_list_that_cannot_be_read_ends_the_connection(world, ana, monkeypatch):
    def broken(tx: Transaction, actor):
        raise KeyError("a bug in rooms_of")

    monkeypatch.setattr(probes.probe, "rooms_of", broken)
    await begin_to_enter(ana.client, NAMESPACE, token=ana.token)
    async with asyncio.timeout(2):
        await ana.client.closed.wait()


async def test_a_client_that_leaves_during_admission_leaves_no_state(world, ana, monkeypatch):
    identify = world.app.gate._admission.identify
    asked, answer = asyncio.Event(), asyncio.Event()

    async def slowly(*args):
        actor = await identify(*args)
        asked.set()
        await answer.wait()
        return actor

    monkeypatch.setattr(world.app.gate._admission, "identify", slowly)
    before = len(world.app.sockets.connections)
    raw = await Raw(world).open()
    raw.say(f"40{NAMESPACE}," + json.dumps({"token": ana.token}))
    await asked.wait()
    await raw.close()
    answer.set()
    await until(lambda: len(world.app.sockets.connections) == before)
    await until(lambda: world.app.gate.people.count(ana.id) == 0)
    await until(lambda: world.app.rooms.counts()["members"] == 1)  # the control stream's own


@one_database
async def test_a_slow_admission_is_refused_in_time(world, ana, monkeypatch):
    async def for_ever(*args):
        await asyncio.Event().wait()

    monkeypatch.setattr("server.namespace_entry.ADMIT_WITHIN_S", 0.05)
    monkeypatch.setattr(world.app.gate._admission, "identify", for_ever)
    with pytest.raises(Refused) as refused:
        await ana.enter("/profile")
    assert refused.value.code == "UNAVAILABLE"


# Reconnecting.


async def test_a_client_returning_with_a_number_gets_missed_events_before_synced(world, ana):
    await ana.enter(NAMESPACE)
    await ana.call(NAMESPACE, "say", text="heard")
    seq = (await ana.event("PROBE_SAID")).meta["seq"]
    epoch = ana.client.synced[NAMESPACE]["epoch"]
    await ana.client.close()
    await say_to(world, user(ana.id), "missed 1", "missed 2")
    back = await ana.device()
    await back.enter(NAMESPACE, since={user(ana.id): seq}, epoch=epoch)
    assert back.synced[NAMESPACE]["rooms"] == {user(ana.id): {"seq": 3, "recovered": True}}
    assert [meta["seq"] for _, meta in events_in(back.frames, "PROBE_SAID")] == [2, 3]
    order = [frame[:2] + frame.partition("[")[2][:5] for frame in back.frames if frame[0] == "4"]
    assert order == ["40", '42"PROB', '42"PROB', '42"sync']
    await say_to(world, user(ana.id), "live")
    await back.until(lambda: heard_by(back) == ["missed 1", "missed 2", "live"])


async def test_a_client_returning_after_a_restart_gets_missed_events(world, ana):
    await ana.enter(NAMESPACE)
    await ana.call(NAMESPACE, "say", text="heard")
    epoch = ana.client.synced[NAMESPACE]["epoch"]
    await world.restart()
    await say_to(world, user(ana.id), "missed")
    back = await ana.device()
    await back.enter(NAMESPACE, since={user(ana.id): 1}, epoch=epoch)
    assert heard_by(back) == ["missed"]
    assert back.synced[NAMESPACE] == {
        "protocol": PROTOCOL,
        "epoch": epoch,
        "rooms": {user(ana.id): {"seq": 2, "recovered": True}},
    }


@pytest.mark.parametrize(
    "auth",
    [
        {"epoch": "another", "since": {"{me}": 1}},
        {"since": {"{me}": 99}},
    ],
    ids=["another epoch", "beyond the head"],
)
async def test_a_number_of_another_epoch_or_beyond_the_head_is_not_recovered(world, ana, auth):
    await say_to(world, user(ana.id), "one", "two")
    since = {user(ana.id): seq for seq in auth["since"].values()}
    await ana.enter(NAMESPACE, **{**auth, "since": since})
    assert ana.client.synced[NAMESPACE]["rooms"] == {user(ana.id): {"seq": 2, "recovered": False}}
    assert heard_by(ana.client) == []


ODD_NUMBERS = [None, "1", 1.0, 0.5, 1e3, [1], {}, {"seq": 1}, -1, 2**53, 2**64, True, False, ""]


@one_database
@pytest.mark.parametrize("seq", ODD_NUMBERS, ids=repr)
async def test_a_room_with_an_invalid_sequence_number_is_not_recovered(world, ana, seq):
    await say_to(world, user(ana.id), "one", "two")
    await say_to(world, "open:hall", "one")
    await ana.enter(NAMESPACE, since={user(ana.id): seq, "open:hall": seq, "secret:hall": seq})
    assert ana.client.synced[NAMESPACE]["rooms"] == {
        user(ana.id): {"seq": 2, "recovered": False},
        "open:hall": {"seq": 1, "recovered": False},
    }
    assert heard_by(ana.client) == []
    await say_to(world, user(ana.id), "live")
    await ana.client.until(lambda: heard_by(ana.client) == ["live"])


@one_database
@pytest.mark.parametrize("since", [None, [], [1], "x", "", 7, 0, 1.5, True, False], ids=repr)
async def test_a_since_that_is_not_an_object_recovers_no_room(ana, since, monkeypatch):
    belongings = [probes.Subscription(f"open:{n}") for n in range(300)]
    monkeypatch.setattr(probes.probe, "rooms_of", lambda tx, actor: belongings)
    await ana.enter(NAMESPACE, since=since)
    rooms = ana.client.synced[NAMESPACE]["rooms"]
    assert len(rooms) == 300, "also those beyond the newest 200"
    assert not any(room["recovered"] for room in rooms.values())


@one_database
@pytest.mark.parametrize("since", [{}, {"": 1}, {"secret:hall": 1.5}, {"\0": 0}], ids=repr)
async def test_a_since_without_rooms_of_the_user_changes_nothing(ana, since):
    await ana.enter(NAMESPACE, since=since)
    assert ana.client.synced[NAMESPACE]["rooms"] == {user(ana.id): {"seq": 0, "recovered": True}}


@pytest.mark.parametrize("epoch", [None, 7, "", ["{here}"], True], ids=repr)
async def test_another_epoch_recovers_nothing(world, ana, epoch):
    await say_to(world, user(ana.id), "one")
    await ana.enter(NAMESPACE, since={user(ana.id): 1}, epoch=epoch)
    assert ana.client.synced[NAMESPACE]["rooms"] == {user(ana.id): {"seq": 1, "recovered": False}}


@pytest.mark.parametrize("room", ["consultant:\0", "\0", "consultant:" + "x" * 10_000, "|", ":"])
async def test_a_room_with_an_invalid_name_is_ignored(ana, room):
    await ana.enter("/consultants", since={room: 0})
    assert list(ana.client.synced["/consultants"]["rooms"]) == [f"consultant:{ana.id}"]


async def test_a_watched_room_is_entered_again_only_if_it_may_be(world, ana):
    await say_to(world, "open:hall", "one")
    await say_to(world, "secret:hall", "one")
    await ana.enter(NAMESPACE, since={"open:hall": 0, "secret:hall": 0})
    rooms = ana.client.synced[NAMESPACE]["rooms"]
    assert rooms["open:hall"] == {"seq": 1, "recovered": True}
    assert "secret:hall" not in rooms
    await say_to(world, "secret:hall", "two")
    await say_to(world, "open:hall", "three")
    await ana.client.until(lambda: heard_by(ana.client) == ["one", "three"])


async def test_synced_lists_the_newest_rooms_and_those_that_were_named(world, ana, monkeypatch):
    belongings = [probes.Subscription(f"open:{n}") for n in range(300)]
    monkeypatch.setattr(probes.probe, "rooms_of", lambda tx, actor: belongings)
    await ana.enter(NAMESPACE, since={"open:299": 0})
    rooms = ana.client.synced[NAMESPACE]["rooms"]
    assert len(rooms) == 201
    assert "open:299" in rooms
    await say_to(world, "open:250", "heard though it is not listed")
    await ana.event("PROBE_SAID")


# Following and leaving.


async def test_a_follower_gets_events_after_the_number_in_its_answer(world, ana):
    await ana.enter(NAMESPACE)
    await say_to(world, "hall", "before")
    assert await ana.call(NAMESPACE, "hear", room="hall") == {"seq": 1}
    await say_to(world, "hall", "after")
    assert (await ana.event("PROBE_SAID")).meta["seq"] == 2
    await ana.call(NAMESPACE, "unhear", room="hall")
    await say_to(world, "hall", "when gone")
    await ana.call(NAMESPACE, "say", text="own")
    await ana.event("PROBE_SAID", lambda data: data["text"] == "own")
    assert heard_by(ana.client) == ["after", "own"]


@both_databases
async def test_following_while_events_come_misses_and_repeats_none(world, ana):
    await ana.enter(NAMESPACE)
    speaking = asyncio.create_task(say_to(world, "hall", *map(str, range(200))))
    await asyncio.sleep(0.02)
    seq = (await ana.call(NAMESPACE, "hear", room="hall"))["seq"]
    await speaking
    await ana.client.until(lambda: len(ana.events("PROBE_SAID")) == 200 - seq)
    assert [heard.meta["seq"] for heard in ana.events("PROBE_SAID")] == list(range(seq + 1, 201))
    frames = ana.client.frames
    answered = next(n for n, frame in enumerate(frames) if frame.startswith("43"))
    assert not events_in(frames[:answered], "PROBE_SAID"), "no event before the answer"


async def test_a_client_gets_nothing_after_leaving_a_namespace(world, ana):
    await ana.enter(NAMESPACE, "/profile")
    await ana.client.ws.send_str(f"41{NAMESPACE},")
    await until(lambda: world.app.rooms.counts()["members"] == 2)
    await say_to(world, user(ana.id), "nobody hears")
    await ana.call("/profile", "update", first_name="Ana Maria")
    await ana.event("USER_UPDATED")
    assert heard_by(ana.client) == []


async def test_an_event_adds_a_member_from_its_number_on_and_another_removes_it(world, ana):
    await ana.enter(NAMESPACE)
    await say_to(world, "club", "before")
    await world.transact(move, ana.id, "club", True)
    await say_to(world, "club", "while in")
    await ana.event("PROBE_SAID")
    await world.transact(move, ana.id, "club", False)
    await say_to(world, "club", "after")
    await ana.call(NAMESPACE, "say", text="own")
    await ana.event("PROBE_SAID", lambda data: data["text"] == "own")
    assert heard_by(ana.client) == ["while in", "own"]
    in_club = [heard.meta["seq"] for heard in ana.client.heard if heard.meta["room"] == "club"]
    assert in_club == [2, 3, 4]


# Devices.


@pytest.mark.settings(PARLEY_PRESENCE_GRACE_S="0.05")
async def test_several_devices_arrive_as_one_person(world, ana, switches: Switches):
    await ana.enter("/profile")
    second = await ana.device()
    await second.enter(NAMESPACE)
    await until(lambda: switches.arrived)
    await ana.client.close()
    await asyncio.sleep(0.1)  # longer than the grace period
    assert switches.arrived == [ana.id]
    await second.close()
    await until(lambda: not world.app.gate.presence._reporting)


@one_database
@pytest.mark.settings(PARLEY_PRESENCE_GRACE_S="0")
async def test_a_departure_is_stored_after_a_database_outage(world, ana, switches, monkeypatch):
    """Otherwise a user who leaves during an outage would stay online forever."""
    monkeypatch.setattr("server.domain_hooks.RETRY_AFTER_S", 0.05)
    await ana.enter(NAMESPACE)
    await until(lambda: switches.arrived)
    switches.broken.add("leaving")
    await ana.client.close()
    await until(lambda: switches.attempts["leaving"])
    switches.broken.clear()
    await until(lambda: switches.left == [ana.id])


async def test_a_lease_ends_with_its_socket(ana, switches):
    await ana.enter(NAMESPACE)
    await ana.call(NAMESPACE, "hold_lease", text="a call")
    await ana.client.close()
    await until(lambda: switches.departed == ["a call"])


@one_database
async def test_a_departure_during_a_command_is_noted_after_it(world, ana, switches):
    """An earlier departure could overtake the arrival that the command is still writing."""
    await ana.enter(NAMESPACE)
    await ana.client.begin(NAMESPACE, "hold_lease_slowly", {"text": "a call"})
    await until(lambda: switches.waiting)
    await ana.client.close()
    await until(lambda: not world.app.sockets.connections)
    await asyncio.sleep(0.05)
    assert switches.departed == []
    switches.open.set()
    await until(lambda: len(switches.departed) == 2)
    assert switches.departed == ["a call was kept", "a call"]


@one_database
async def test_a_client_that_left_before_following_a_room_is_not_in_it(world, ana, switches):
    await ana.enter(NAMESPACE)
    await ana.client.begin(NAMESPACE, "hear_slowly", {"room": "hall"})
    await until(lambda: switches.waiting)
    await ana.client.close()
    await until(lambda: not world.app.sockets.connections)
    switches.open.set()
    await until(lambda: not world.app.sockets._tasks)
    assert world.app.rooms.counts() == {"streams": 1, "members": 1, "listened": 0}


@one_database
async def test_a_draining_instance_refuses_new_connections(world, ana):
    await world.app.gate.stop()
    with pytest.raises(Refused) as refused:
        await ana.enter("/profile")
    assert refused.value.code == "UNAVAILABLE"


# Nothing is left behind.


async def test_a_silent_client_was_present_until_its_last_sign_of_life(
    make_world, monkeypatch, switches
):
    monkeypatch.setattr("server.socket.PING_EVERY_S", 0.3)
    monkeypatch.setattr("server.socket.PING_TIMEOUT_S", 0.4)
    world = await make_world()
    ana = await world.person("ana")
    came_at = world.clock.now()
    poller = await (await Poller(world).open()).enter(NAMESPACE, ana.token)
    assert await poller.post(f'42{NAMESPACE},1["hold_lease",{{"text":"desk"}}]') == 200
    heard_at = world.clock.now()
    await until(lambda: switches.departed)
    assert world.clock.now() - came_at > timedelta(seconds=0.7), "it was noticed too soon"
    assert switches.departed_at[0] <= heard_at + timedelta(seconds=0.1)


def counts_of(world: World) -> dict[str, object]:
    app = world.app
    return {
        "connections": len(app.sockets.connections),
        "engine's": len(app.sockets.eio.sockets),
        "people": len(app.gate.people._of_person) + len(app.gate.people._of_session),
        "rooms": app.rooms.counts(),
        "entering": len(app.sockets._entry._entering),
        "tasks": Counter(task.get_coro().__qualname__ for task in asyncio.all_tasks()),
        "presence": len(app.gate.presence._reporting),
    }


@pytest.mark.settings(PARLEY_PRESENCE_GRACE_S="0")
async def test_no_state_remains_after_all_connections_are_closed(make_world, monkeypatch):
    monkeypatch.setattr("server.socket.PING_EVERY_S", 0.2)  # Engine.IO cleans up at this interval
    monkeypatch.setattr("server.socket.PING_TIMEOUT_S", 0.2)
    world = await make_world()
    ana = await world.person("ana")
    await ana.client.close()
    await until(lambda: not world.app.sockets.eio.sockets)
    await asyncio.sleep(0.3)
    before = counts_of(world)
    clients: list = [await ana.device() for _ in range(6)]
    for client in clients[:4]:
        await client.enter(NAMESPACE, "/profile", since={"open:hall": 0})
        await client.call(NAMESPACE, "hear", room="hall")
    with pytest.raises(Refused):
        await clients[4].enter("/nowhere")
    clients.append(await world.visitor("/auth", NAMESPACE))
    clients.append(await Raw(world).open())
    pollers = [await Poller(world).open() for _ in range(2)]
    for poller in pollers:
        await poller.enter(NAMESPACE, ana.token)
    await say_to(world, "hall", "hello")
    await until(lambda: counts_of(world)["connections"] == 10)
    await pollers[0].post("1")  # one closes in order, the other just stops
    for client in (*clients, *pollers):
        await client.close()
    try:
        await until(lambda: counts_of(world) == before)
    except TimeoutError:
        assert counts_of(world) == before
    assert (await world.metrics())["parley_connections"] == 0
    assert (await world.metrics())["parley_sockets"] == 0
