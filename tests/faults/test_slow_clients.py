"""Who reads no more, or is not there any more, costs little and nobody else anything."""

import asyncio
import gc
import re
import sys
import tracemalloc
from statistics import quantiles
from time import monotonic
from types import SimpleNamespace

import msgspec
import pytest

from rooms.names import stream, user
from server.socket import PING_EVERY_S, PING_TIMEOUT_S
from storage.events.log import Numbered
from tests.kit.probe import NAMESPACE, Say, say_it
from tests.kit.proxy import Proxy
from tests.kit.wire import Poller, Raw
from tests.wire_client import Client
from tests.world import ROOT, Person, World, one_database, until

STALLED = 5
COST_MAX = 1_048_576
TEXTS = {
    "long": "x" * 20_000,
    "long and not only of letters": "x" * 20_000 + "😀",
    "short": "x" * 20,
}
BEGUN = 100_000
"""Bytes that nobody reads any more, however large the buffers of the kernel are."""
TIMED = 300
HALL = "open:hall"
CROWD, STALL_MAX_MS = 1_000, 100
each_transport = pytest.mark.parametrize("transport", ["websocket", "polling"])


async def stall(world: World, person: Person, transport: str, **since: int) -> None:
    """A device that enters and then reads no more."""
    auth = {"token": person.token, "since": since}
    if transport == "polling":
        await (await Poller(world).open()).enter(NAMESPACE, **auth)
        return
    raw = await Raw(world).open()
    raw.say(f"40{NAMESPACE},{msgspec.json.encode(auth).decode()}")
    await raw.until(b'"synced"')


# What it costs.


def traced() -> int:
    """Bytes that Python holds."""
    return tracemalloc.get_traced_memory()[0]


async def flood(world: World, person: Person, text: str) -> int:
    """Say it to a person until all devices that do not read are cut; the most that they cost."""
    name, data = stream(NAMESPACE, user(person.id)), msgspec.json.encode({"text": text}).decode()
    at, seq, most, before = world.clock.now(), 0, 0, traced()
    while world.app.sockets.connections:
        seq += 1
        world.app.rooms.committed(Numbered(name, seq, "", "FLOOD", at, data))
        most = max(most, traced() - before)
        if seq % 10 == 0:
            await asyncio.sleep(0)
    return most


def is_given_back(before: int) -> bool:
    gc.collect()
    return traced() - before < STALLED * COST_MAX / 10


@one_database
async def test_a_long_replay_to_one_who_does_not_read_costs_little(world, ana):
    room = user(ana.id)
    for _ in range(20):
        await world.transact(say_it, Say(text=TEXTS["long"], room=room, count=45))
    tracemalloc.start()
    before = traced()
    try:
        for _ in range(STALLED):
            raw = await Raw(world).open()
            auth = {"token": ana.token, "since": {room: 0}}
            raw.say(f"40{NAMESPACE},{msgspec.json.encode(auth).decode()}")
            await raw.until(b"x" * 20_000)
        assert traced() - before < STALLED * 3 * COST_MAX
    finally:
        tracemalloc.stop()


@one_database
@each_transport
@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
async def test_a_reader_that_stops_costs_little_and_that_is_given_back(world, ana, transport, text):
    await ana.client.close()
    for _ in range(STALLED):
        await stall(world, ana, transport)
    gc.collect()
    tracemalloc.start()
    try:
        before = traced()
        assert await flood(world, ana, text) <= STALLED * COST_MAX
        await until(lambda: is_given_back(before))
    finally:
        tracemalloc.stop()


# What it costs the others.


async def delays(world: World, reading: Client) -> list[float]:
    """How long (in s) some events take from being said to being heard, one after the other."""
    text, taken = "x" * 4_000, []
    for _ in range(TIMED):
        count, before = len(reading.events("PROBE_SAID")), monotonic()
        await world.transact(say_it, Say(text=text, room=HALL))
        await reading.until(lambda n=count: len(reading.events("PROBE_SAID")) > n)
        taken.append(monotonic() - before)
    return taken


@one_database
@each_transport
async def test_the_others_hear_as_fast_while_some_read_no_more(world, ana, ben, transport):
    await ben.enter(NAMESPACE, since={HALL: 0})
    alone = await delays(world, ben.client)
    await ana.client.close()
    for _ in range(STALLED):
        await stall(world, ana, transport, **{HALL: 10**6})
    stalled = [one for one in world.app.sockets.connections if one.actor and one.actor.id == ana.id]
    while not all(connection.outgoing.unsent > BEGUN for connection in stalled):
        await world.transact(say_it, Say(text="x" * 4_000, room=HALL, count=10))
    beside = await delays(world, ben.client)
    await until(lambda: all(connection.gone for connection in stalled))
    assert quantiles(beside, n=100)[98] < quantiles(alone, n=100)[98] + 0.02


# Who is there no more.


@pytest.fixture
async def wire(make_world):
    """What leads to a world, and can go dead without being closed."""
    world = await make_world()
    wire = Proxy(world.url)
    await wire.mend()
    yield world, wire
    await wire.cut()


QUICKER = 10
NOTICED_WITHIN_S = PING_EVERY_S + PING_TIMEOUT_S * 1.5
"""A PING, the wait for its answer, and the pause between two looks at who is waited for."""


@pytest.fixture
def quicker(monkeypatch):
    """As in life, ten times as fast."""
    monkeypatch.setattr("server.socket.PING_EVERY_S", PING_EVERY_S / QUICKER)
    monkeypatch.setattr("server.socket.PING_TIMEOUT_S", PING_TIMEOUT_S / QUICKER)


@pytest.mark.settings(PARLEY_PRESENCE_GRACE_S="0")
@one_database
@each_transport
async def test_a_half_open_connection_is_noticed_in_time_and_told(quicker, wire, transport):
    assert NOTICED_WITHIN_S < 20
    world, proxy = wire
    ana, ben = await world.person("ana"), await world.person("ben")
    await ben.call("/presence", "watch", user_ids=[ana.id])
    await ana.client.close()
    beyond = SimpleNamespace(url=proxy.url, clients=world.clients)
    if transport == "polling":
        device = await (await Poller(beyond).open()).enter(NAMESPACE, ana.token)
        polling = asyncio.create_task(poll_on(device))
    else:
        device = await World.connect(beyond, ana.token)
        await device.enter(NAMESPACE)
    await ben.event("USER_ONLINE")
    await asyncio.sleep(NOTICED_WITHIN_S / QUICKER)
    assert not ben.events("USER_OFFLINE"), "who answers is there"
    before = monotonic()
    proxy.mute()
    await ben.event("USER_OFFLINE", within_s=2 * NOTICED_WITHIN_S / QUICKER)
    assert monotonic() - before < NOTICED_WITHIN_S / QUICKER + 0.2
    assert [one.actor.id for one in world.app.sockets.connections if one.actor] == [ben.id]
    if transport == "polling":
        polling.cancel()


async def poll_on(poller: Poller) -> None:
    """Ask again and again, and answer each PING."""
    while await poller.poll() == 200:
        if "2" in poller.frames:
            poller.frames.clear()
            await poller.post("3")


# A crowd.


async def test_a_crowd_that_goes_at_once_hardly_stalls_the_loop():
    """In a process of its own, which is small: Python's collector looks through all there is."""
    measuring = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.crowd", str(CROWD)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        told, _ = await measuring.communicate()
    finally:
        if measuring.returncode is None:
            measuring.kill()
            await measuring.wait()
    found = re.search(r"stalled for (\d+) ms, (\d+) full collections", told.decode())
    assert found, told
    assert int(found[1]) < STALL_MAX_MS
    assert int(found[2]) == 0
