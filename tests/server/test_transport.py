"""Sending to clients: in order, with limits for slow readers, by WebSocket and by polling."""

import asyncio
import gc
import json
import random
import weakref
from time import monotonic

import aiohttp
import pytest
import socketio
from engineio import packet as engineio_packet

from rooms.names import stream, user
from rooms.packets import Packet, notice_packet
from server import posts
from server.posts import FRAME_MAX
from server.transport import POLLED_MAX, UNSENT_MAX
from storage.events.log import Numbered
from tests.kit.probe import NAMESPACE, Say, say_it
from tests.kit.wire import Poller, Raw, events_in
from tests.wire_client import Client
from tests.world import Person, World, one_database, until

pytestmark = one_database
CHUNK = 40_000


def connections_of(world: World, person: Person):
    return [one for one in world.app.sockets.connections if one.actor and one.actor.id == person.id]


async def flood(world: World, person: Person, count: int, heard_by: Client | None = None):
    """Publish `count` large events in a user's room, as fast as one client receives them."""
    for seq in range(1, count + 1):
        event = Numbered(
            stream(NAMESPACE, user(person.id)), seq, "", "FLOOD", world.clock.now(),
            json.dumps({"text": "x" * CHUNK}),
        )  # fmt: skip
        world.app.rooms.committed(event)
        if heard_by is not None:
            await heard_by.until(lambda n=seq: len(heard_by.events("FLOOD")) >= n)
        await asyncio.sleep(0)


async def stall(world: World, person: Person) -> Raw:
    """A device that enters, then stops reading."""
    raw = await Raw(world).open()
    raw.say(f'40{NAMESPACE},{{"token":"{person.token}"}}')
    await raw.until(b'"synced"')
    return raw


async def test_a_stalled_reader_is_cut_at_its_limit_and_others_get_all_events(world, ana):
    await stall(world, ana)
    (connection,) = connections_of(world, ana)
    reading = await ana.enter(NAMESPACE)
    sizes = []
    committed = world.app.rooms.committed

    def committed_and_measured(event):
        committed(event)
        sizes.append(connection.outgoing.unsent)

    world.app.rooms.committed = committed_and_measured
    await flood(world, ana, 250, heard_by=reading.client)
    assert max(sizes) > UNSENT_MAX // 2, "it was not flooded enough to say anything"
    assert max(sizes) <= UNSENT_MAX + CHUNK + 200
    await until(lambda: connection not in connections_of(world, ana))
    assert len(connections_of(world, ana)) == 1
    assert [heard.meta["seq"] for heard in reading.events("FLOOD")] == list(range(1, 251))


async def test_nothing_of_a_cut_connection_is_kept(world, ana):
    await stall(world, ana)
    (kept,) = [weakref.ref(one) for one in connections_of(world, ana)]
    await flood(world, ana, 250)
    await until(lambda: not connections_of(world, ana))

    async def collected() -> bool:
        # A reader thread keeps its last work until its next one.
        await asyncio.gather(*(world.stored("NOTHING") for _ in range(4)))
        gc.collect()
        return kept() is None

    await until(collected)


async def test_a_cut_connection_is_counted(world, ana):
    await stall(world, ana)
    await flood(world, ana, 250)
    await until(lambda: not connections_of(world, ana))
    assert (await world.metrics())["parley_connections_cut_total"] == 1


async def test_ephemeral_events_are_shed_first(world, ana):
    await stall(world, ana)
    (connection,) = connections_of(world, ana)
    while connection.outgoing.unsent <= UNSENT_MAX // 2:
        await flood(world, ana, 1)
        world.app.rooms._streams[stream(NAMESPACE, user(ana.id))].cursor = 0
    before = connection.outgoing.unsent
    for _ in range(100):
        world.app.rooms.ephemeral.publish(NAMESPACE, user(ana.id), "typing", {"text": "x" * CHUNK})
    assert connection.outgoing.unsent <= before
    assert connections_of(world, ana) == [connection]


async def test_a_stalled_poller_is_closed_and_never_gets_a_gap(world, ana):
    poller = await Poller(world).open()
    await poller.enter(NAMESPACE, ana.token)
    await flood(world, ana, 40)
    await flood_on(world, ana, first=41, count=3)
    with_gap = []
    for _ in range(4):
        try:
            async with asyncio.timeout(1):
                status = await poller.poll()
        except TimeoutError:
            break
        if status != 200:
            break
        await flood_on(world, ana, first=44 + len(with_gap), count=1)
        with_gap.append(status)
    heard = [meta["seq"] for _, meta in events_in(poller.frames, "FLOOD")]
    assert heard == list(range(1, len(heard) + 1))
    assert not connections_of(world, ana)


async def flood_on(world: World, person: Person, first: int, count: int):
    for seq in range(first, first + count):
        name = stream(NAMESPACE, user(person.id))
        world.app.rooms.committed(Numbered(name, seq, "", "FLOOD", world.clock.now(), "{}"))
        await asyncio.sleep(0)


# Polling and upgrading.


async def speak(world: World, person: Person, count: int, stopped: asyncio.Event):
    """Commit real events in a user's room until the test stops it."""
    for number in range(count):
        say = Say(text=f"{number}", room=user(person.id))
        await world.transact(say_it, say)
        await asyncio.sleep(0.003)
        if stopped.is_set():
            return


async def listen(world: World, person: Person) -> tuple[socketio.AsyncClient, list, dict]:
    """A python-socketio client, with its received events and its `synced`."""
    client = socketio.AsyncClient(reconnection=False)
    heard: list[int] = []
    synced: dict = {}
    client.on("PROBE_SAID", lambda data, meta: heard.append(meta["seq"]), namespace=NAMESPACE)
    client.on("synced", synced.update, namespace=NAMESPACE)
    await client.connect(world.url, auth={"token": person.token}, namespaces=[NAMESPACE])
    return client, heard, synced


async def test_clients_that_upgrade_during_events_get_each_once_in_order(world, ana):
    stopped = asyncio.Event()
    speaking = asyncio.create_task(speak(world, ana, 2_000, stopped))
    listeners = await asyncio.gather(*(listen(world, ana) for _ in range(5)))
    await until(lambda: all(len(heard) >= 40 for _, heard, _ in listeners))
    stopped.set()
    await speaking
    head = len(await world.stored("PROBE_SAID"))
    await until(lambda: all(heard[-1] == head for _, heard, _ in listeners))
    for client, heard, synced in listeners:
        since = synced["rooms"][user(ana.id)]["seq"]
        assert heard == list(range(since + 1, head + 1))
        assert client.transport() == "websocket"
        await client.disconnect()


async def test_clients_that_only_poll_get_each_event_once_in_order(world, ana):
    stopped = asyncio.Event()
    speaking = asyncio.create_task(speak(world, ana, 2_000, stopped))
    pollers = [await Poller(world).open() for _ in range(5)]
    await asyncio.gather(*(poller.enter(NAMESPACE, ana.token) for poller in pollers))
    for poller in pollers:
        while len(events_in(poller.frames, "PROBE_SAID")) < 40:
            assert await poller.poll() == 200
    stopped.set()
    await speaking
    head = len(await world.stored("PROBE_SAID"))
    for poller in pollers:
        while (heard := numbers_in(poller.frames))[-1] < head:
            assert await poller.poll() == 200
        synced = next(frame for frame in poller.frames if '"synced"' in frame)
        since = json.loads(synced.partition(",")[2])[1]["rooms"][user(ana.id)]["seq"]
        assert heard == list(range(since + 1, head + 1))


def numbers_in(frames: list[str]) -> list[int]:
    return [meta["seq"] for _, meta in events_in(frames, "PROBE_SAID")]


async def test_a_replay_larger_than_the_send_limit_waits_for_its_reader(world, ana):
    """1,000 events of 3 KB: three times the limit of unsent bytes."""
    text = "x" * 3_000
    for _ in range(10):
        await world.transact(say_it, Say(text=text, room=user(ana.id), key="k", count=100))
    poller = await Poller(world).open()
    await poller.enter(NAMESPACE, ana.token, since={user(ana.id): 0})
    assert numbers_in(poller.frames) == list(range(1, 1_001))
    by_websocket = await ana.device()
    await by_websocket.enter(NAMESPACE, token=ana.token, since={user(ana.id): 0})
    heard = [event.meta["seq"] for event in by_websocket.events("PROBE_SAID")]
    assert heard == list(range(1, 1_001))


async def test_a_poll_whose_client_is_gone_ends_the_connection_and_leaves_no_gap(world, ana):
    poller = await (await Poller(world).open()).enter(NAMESPACE, ana.token)
    (connection,) = connections_of(world, ana)
    polling = asyncio.create_task(poller.poll())
    await until(lambda: connection.outgoing._getters)
    polling.cancel()
    await poller._http.close()
    await asyncio.sleep(0.05)  # until the server has read the end, which nothing shows
    await world.transact(say_it, Say(text="nobody reads this", room=user(ana.id)))
    await until(lambda: connection.gone)
    async with aiohttp.ClientSession() as http, http.get(poller.address) as answer:
        assert answer.status == 400, "what comes after it may not be heard without it"


async def test_a_post_to_a_closed_connection_is_refused(world, ana):
    poller = await (await Poller(world).open()).enter(NAMESPACE, ana.token)
    (connection,) = connections_of(world, ana)
    await world.app.sockets.eio.sockets[connection.sid].close(wait=False)
    assert await poller.post(f'42{NAMESPACE},1["echo",{{"text":"too late"}}]') == 400


async def test_a_poller_can_send_commands(world, ana):
    poller = await Poller(world).open()
    await poller.enter(NAMESPACE, ana.token)
    assert await poller.post(f'42{NAMESPACE},1["echo",{{"text":"by post"}}]') == 200
    assert await poller.poll() == 200
    assert poller.frames[-1] == (
        f'43{NAMESPACE},1[{{"ok":true,"data":{{"text":"by post","at":"127.0.0.1"}}}}]'
    )


async def test_an_upgrade_that_is_given_up_leaves_the_poller_as_it_was(world, ana):
    poller = await Poller(world).open()
    await poller.enter(NAMESPACE, ana.token)
    address = poller.address.replace("transport=polling", "transport=websocket")
    async with aiohttp.ClientSession() as http, http.ws_connect(address) as websocket:
        await websocket.send_str("2not a probe")
    await world.transact(say_it, Say(text="still by polling", room=user(ana.id)))
    while not events_in(poller.frames, "PROBE_SAID"):
        assert await poller.poll() == 200


# No frame overtakes another.


async def test_an_event_comes_before_the_answer_of_its_own_command(world, ana):
    await ana.enter(NAMESPACE)
    begun = [await ana.client.begin(NAMESPACE, "say", {"text": f"{n}"}) for n in range(50)]
    await asyncio.gather(*begun)
    frames = ana.client.frames[-100:]
    kinds = [frame[:2] for frame in frames]
    assert kinds == ["42", "43"] * 50
    assert [meta["seq"] for _, meta in events_in(frames, "PROBE_SAID")] == list(range(1, 51))


@pytest.mark.parametrize("seed", range(4))
async def test_packets_leave_in_the_order_of_the_calls_by_either_path(world, ana, seed):
    await ana.enter(NAMESPACE)
    (connection,) = connections_of(world, ana)
    chance = random.Random(seed)  # noqa: S311 - to be repeatable
    count = 300
    for number in range(count):
        packet = notice_packet(
            NAMESPACE, "number", {"n": number, "fill": "x" * chance.choice(SIZES)}
        )
        if chance.random() < 0.3:  # like python-socketio itself
            text = packet.text[1:].decode()
            message = engineio_packet.Packet(engineio_packet.MESSAGE, text)
            connection.outgoing.put_nowait(message)
        else:
            assert connection.outgoing.send(packet)
        if chance.random() < 0.4:
            await asyncio.sleep(chance.choice((0, 0, 0.001)))
        if number % 40 == 39:
            await ana.client.until(lambda n=number: len(ana.events("number")) == n + 1)
    await ana.client.until(lambda: len(ana.events("number")) == count)
    assert [heard.data["n"] for heard in ana.events("number")] == list(range(count))


SIZES = (0, 10, 100, 1_000, 20_000)


@pytest.mark.parametrize("size", [1, 125, 126, 127, 65_535, 65_536, 200_000])
async def test_a_frame_of_any_size_arrives_whole(world, ana, size):
    await ana.enter(NAMESPACE)
    (connection,) = connections_of(world, ana)
    empty = len(notice_packet(NAMESPACE, "sized", "").text)
    connection.outgoing.send(notice_packet(NAMESPACE, "sized", "ü" * ((size - empty) // 2 + 1)))
    exact = Packet(b"42%b," % NAMESPACE.encode() + b'["exact","' + b"x" * size + b'"]')
    connection.outgoing.send(exact)
    assert len((await ana.event("exact")).data) == size
    assert set((await ana.event("sized")).data) <= {"ü"}


async def test_frames_are_not_compressed_even_for_a_client_that_offers_it(world):
    async with aiohttp.ClientSession() as http:
        address = f"{world.url}/socket.io/?EIO=4&transport=websocket"
        async with http.ws_connect(address, compress=15) as websocket:
            assert websocket.compress == 0


async def test_the_handshake_has_the_ping_interval_and_timeout(world):
    opened = (await Poller(world).open()).opened
    assert (opened["pingInterval"], opened["pingTimeout"]) == (10_000, 6_000)
    assert opened["maxPayload"] == FRAME_MAX


async def test_a_poll_takes_at_most_sixteen_packets_and_the_next_one_the_others(world, ana):
    poller = await (await Poller(world).open()).enter(NAMESPACE, ana.token)
    await world.transact(say_it, Say(text="x", room=user(ana.id), count=20))
    del poller.frames[:]
    assert await poller.poll() == 200
    assert len(poller.frames) == POLLED_MAX
    assert await poller.poll() == 200
    assert len(events_in(poller.frames, "PROBE_SAID")) == 20


async def test_a_poll_after_a_session_ended_gets_the_notice(world, ana):
    poller = await (await Poller(world).open()).enter(NAMESPACE, ana.token)
    connection = next(one for one in world.app.sockets.connections if not one.outgoing.websocket)
    await connection.outgoing.read_out(1)
    ending = asyncio.create_task(world.app.sockets.end(connection))
    await asyncio.sleep(0)  # so that it begins
    assert await poller.poll() == 200
    assert f"41{NAMESPACE}," in poller.frames
    await ending


@pytest.mark.settings(PARLEY_LIMITS="default", PARLEY_FRAMES_BURST="100", PARLEY_FRAMES_PER_S="10")
async def test_a_polling_client_that_posts_too_many_packets_waits(world, ana, monkeypatch):
    monkeypatch.setattr(posts, "PAUSE_MAX_S", 0.3)
    poller = await (await Poller(world).open()).enter(NAMESPACE, ana.token)
    began = monotonic()
    assert await poller.post("\x1e".join(["3"] * 50)) == 200
    assert monotonic() - began < 0.3
    assert await poller.post("\x1e".join(["3"] * 100)) == 200
    assert monotonic() - began > 0.3


async def test_a_connection_reads_a_few_posts_at_a_time(world, ana, monkeypatch):
    poller = await (await Poller(world).open()).enter(NAMESPACE, ana.token)
    reading = world.app.sockets.eio.posts._reading
    reading[poller.opened["sid"]] = posts.POSTS_MAX
    assert await poller.post("3") == 400
    reading.clear()
    assert await poller.post("3") == 200
    assert not reading
