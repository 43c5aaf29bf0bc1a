"""Clients that stop reading or disappear cost little memory and do not delay others."""

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
    "long with an emoji": "x" * 20_000 + "😀",
    "short": "x" * 20,
}
UNSENT_MIN = 100_000
"""A connection with more unsent bytes has stalled: the buffers of the kernel are full."""
TIMED = 300
HALL = "open:hall"
CROWD, STALL_MAX_MS = 1_000, 100
each_transport = pytest.mark.parametrize("transport", ["websocket", "polling"])


async def stall(world: World, person: Person, transport: str, **since: int) -> None:
    """Connect a device that enters the namespace and then stops reading."""
    auth = {"token": person.token, "since": since}
    if transport == "polling":
        await (await Poller(world).open()).enter(NAMESPACE, **auth)
        return
    raw = await Raw(world).open()
    raw.say(f"40{NAMESPACE},{msgspec.json.encode(auth).decode()}")
    await raw.until(b'"synced"')


# Memory.


def traced() -> int:
    """The bytes that Python has allocated."""
    return tracemalloc.get_traced_memory()[0]


async def flood(world: World, person: Person, text: str) -> int:
    """Send events until all stalled devices are disconnected, and return their peak memory."""
    name, data = stream(NAMESPACE, user(person.id)), msgspec.json.encode({"text": text}).decode()
    at, seq, peak, before = world.clock.now(), 0, 0, traced()
    while world.app.sockets.connections:
        seq += 1
        world.app.rooms.committed(Numbered(name, seq, "", "FLOOD", at, data))
        peak = max(peak, traced() - before)
        if seq % 10 == 0:
            await asyncio.sleep(0)
    return peak


def is_freed(before: int) -> bool:
    gc.collect()
    return traced() - before < STALLED * COST_MAX / 10


@one_database
async def test_a_replay_to_a_client_that_does_not_read_costs_little_memory(world, ana):
    room, text = user(ana.id), "語" * 7_000
    for _ in range(20):  # 18 MB
        await world.transact(say_it, Say(text=text, room=room, count=45))
    tracemalloc.start()
    before = traced()
    try:
        for _ in range(STALLED):
            raw = await Raw(world).open()
            auth = {"token": ana.token, "since": {room: 0}}
            raw.say(f"40{NAMESPACE},{msgspec.json.encode(auth).decode()}")
            await raw.until(text.encode())
        assert traced() - before < STALLED * 3 * COST_MAX
    finally:
        tracemalloc.stop()


@one_database
@each_transport
@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
async def test_a_client_that_stops_reading_costs_little_memory_and_frees_it(
    world, ana, transport, text
):
    await ana.client.close()
    for _ in range(STALLED):
        await stall(world, ana, transport)
    gc.collect()
    tracemalloc.start()
    try:
        before = traced()
        assert await flood(world, ana, text) <= STALLED * COST_MAX
        await until(lambda: is_freed(before))
    finally:
        tracemalloc.stop()


# Delays of other clients.


async def delays(world: World, client: Client) -> list[float]:
    """The delay of each of some events in sequence, from sending to receiving, in seconds."""
    text, delays_s = "x" * 4_000, []
    for _ in range(TIMED):
        count, before = len(client.events("PROBE_SAID")), monotonic()
        await world.transact(say_it, Say(text=text, room=HALL))
        await client.until(lambda n=count: len(client.events("PROBE_SAID")) > n)
        delays_s.append(monotonic() - before)
    return delays_s


@one_database
@each_transport
async def test_stalled_clients_do_not_delay_other_clients(world, ana, ben, transport):
    await ben.enter(NAMESPACE, since={HALL: 0})
    alone = await delays(world, ben.client)
    await ana.client.close()
    for _ in range(STALLED):
        await stall(world, ana, transport, **{HALL: 10**6})
    stalled = [one for one in world.app.sockets.connections if one.actor and one.actor.id == ana.id]
    while not all(connection.outgoing.unsent > UNSENT_MIN for connection in stalled):
        await world.transact(say_it, Say(text="x" * 4_000, room=HALL, count=10))
    beside = await delays(world, ben.client)
    await until(lambda: all(connection.gone for connection in stalled))
    assert quantiles(beside, n=100)[98] < quantiles(alone, n=100)[98] + 0.02


# Half-open connections.


@pytest.fixture
async def wire(make_world):
    """A server behind a proxy that can go silent without closing connections."""
    world = await make_world()
    wire = Proxy(world.url)
    await wire.mend()
    yield world, wire
    await wire.cut()


SPEEDUP = 10
NOTICED_WITHIN_S = PING_EVERY_S + PING_TIMEOUT_S * 1.5
"""A PING, the timeout of its PONG, and the pause between two checks for timeouts."""


@pytest.fixture
def fast_pings(monkeypatch):
    """Make PINGs and their timeouts ten times as fast."""
    monkeypatch.setattr("server.socket.PING_EVERY_S", PING_EVERY_S / SPEEDUP)
    monkeypatch.setattr("server.socket.PING_TIMEOUT_S", PING_TIMEOUT_S / SPEEDUP)


@pytest.mark.settings(PARLEY_PRESENCE_GRACE_S="0")
@one_database
@each_transport
async def test_a_half_open_connection_times_out_and_its_user_goes_offline(
    fast_pings, wire, transport
):
    assert NOTICED_WITHIN_S < 20
    world, proxy = wire
    ana, ben = await world.person("ana"), await world.person("ben")
    await ben.call("/presence", "watch", user_ids=[ana.id])
    await ana.client.close()
    beyond = SimpleNamespace(url=proxy.url, clients=world.clients)
    if transport == "polling":
        device = await (await Poller(beyond).open()).enter(NAMESPACE, ana.token)
        polling = asyncio.create_task(keep_polling(device))
    else:
        device = await World.connect(beyond, ana.token)
        await device.enter(NAMESPACE)
    await ben.event("USER_ONLINE")
    await asyncio.sleep(NOTICED_WITHIN_S / SPEEDUP)
    assert not ben.events("USER_OFFLINE"), "a client that answers PINGs is online"
    before = monotonic()
    proxy.mute()
    await ben.event("USER_OFFLINE", within_s=2 * NOTICED_WITHIN_S / SPEEDUP)
    assert monotonic() - before < NOTICED_WITHIN_S / SPEEDUP + 0.2
    assert [one.actor.id for one in world.app.sockets.connections if one.actor] == [ben.id]
    if transport == "polling":
        polling.cancel()


async def keep_polling(poller: Poller) -> None:
    """Poll repeatedly, and answer each PING."""
    while await poller.poll() == 200:
        if "2" in poller.frames:
            poller.frames.clear()
            await poller.post("3")


# Mass disconnects.


async def test_a_mass_disconnect_hardly_blocks_the_event_loop():
    """In a small process of its own, because a garbage collection visits all objects."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.crowd", str(CROWD)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    match = re.search(r"stalled for (\d+) ms, (\d+) full collections", output.decode())
    assert match, output
    assert int(match[1]) < STALL_MAX_MS
    assert int(match[2]) == 0
