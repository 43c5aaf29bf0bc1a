"""Floods of connections, entries and frames: limited per address, and cheap for the server."""

import asyncio
import resource
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from server.connection_admission import STILL_WORKING_MAX
from server.http import REFUSED_AFTER_S
from server.http_server import LINE_MAX
from server.session import Entry
from tests.faults.attacker import (
    ATTACKER_ADDRESS,
    HANDSHAKE,
    Line,
    frames,
    measured,
    open_websocket,
    request,
)
from tests.wire_client import Client, Refused
from tests.world import Process, World, one_database, until

pytestmark = one_database
POLLING = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\nHost: x\nConnection: close"
ATTEMPTS = 300
RECEIVED_WITHIN_S = 2.5


async def send_handshake(port: int, lines: list[Line]) -> int:
    line = await Line(port).open()
    lines.append(line)
    await line.send(HANDSHAKE)
    return await line.status()


@asynccontextmanager
async def websocket_of(world: World) -> AsyncIterator[Line]:
    line = await open_websocket(world.port)
    yield line
    await line.close()


async def close_all(lines: list[Line]) -> None:
    await asyncio.gather(*(line.close() for line in lines))


@pytest.mark.settings(PARLEY_LIMITS="default", PARLEY_CONNECTIONS_PER_S="30")
async def test_an_address_that_connects_too_often_is_refused_before_the_upgrade(world: World):
    lines: list[Line] = []
    began = time.monotonic()
    statuses = Counter(
        await asyncio.gather(*(send_handshake(world.port, lines) for _ in range(ATTEMPTS)))
    )
    allowed = 30 + 30 * (time.monotonic() - began)
    assert set(statuses) == {101, 429}
    assert 30 <= statuses[101] <= allowed
    assert len(world.app.sockets.connections) == statuses[101]
    await (await world.connect()).enter("/auth")  # from another address
    await close_all(lines)
    await until(lambda: world.app.capacity.counts()["engine_connections"] == 1)


@pytest.mark.settings(
    PARLEY_LIMITS="default",
    PARLEY_CONNECTIONS_PER_S="1000",
    PARLEY_VISITORS_PER_ADDRESS="20",
    PARLEY_CONNECTIONS_PER_ADDRESS="30",
)
class TestCaps:
    async def test_polling_connections_of_an_address_are_capped(self, world: World):
        statuses = Counter([await request(world.port, POLLING) for _ in range(50)])
        assert statuses == {200: 20, 429: 30}
        assert len(world.app.sockets.eio.sockets) == 20
        await world.visitor("/auth")  # from another address

    async def test_signed_in_connections_do_not_count_as_visitors(self, world: World):
        ana = await world.person("ana")
        for _ in range(10):
            await (await ana.device()).enter("/profile")
        assert world.app.capacity.counts()["visitors"] == 1  # the first has entered nothing yet
        assert world.app.capacity.counts()["engine_connections"] == 11

    async def test_signed_in_connections_of_an_address_are_capped(self, world: World):
        for name in ("ana", "ben"):
            person = await world.person(name)
            for _ in range(14):
                await (await person.device()).enter("/profile")
        assert world.app.capacity.counts()["engine_connections"] == 30
        assert await request(world.port, POLLING, b"", "127.0.0.1") == 429
        assert await request(world.port, POLLING) == 200  # from another address

    async def test_closed_connections_no_longer_count(self, world: World):
        for _ in range(3):
            lines = [await open_websocket(world.port) for _ in range(20)]
            assert await request(world.port, POLLING) == 429
            await close_all(lines)
            await until(lambda: not world.app.sockets.connections)
        assert set(world.app.capacity.counts().values()) == {0}

    async def test_silent_tcp_connections_are_capped(self, world: World):
        lines = [await Line(world.port).open() for _ in range(120)]
        await until(lambda: world.app.capacity.counts()["tcp_connections"] >= 60)
        assert await request(world.port, "GET /health/live HTTP/1.1\nHost: x") == 0
        assert await request(world.port, "GET /health/live HTTP/1.1\nHost: x", b"", "127.0.0.8")
        assert world.app.capacity.counts()["tcp_connections"] <= 61
        await close_all(lines)
        await until(lambda: world.app.capacity.counts()["tcp_connections"] == 0)

    async def test_rejections_are_counted_and_logged_in_one_line(self, world: World, logs):
        for _ in range(50):
            await request(world.port, POLLING)
        metrics = await world.metrics()
        assert metrics['parley_rejected_total{kind="visitors"}'] == 30
        assert "visitors" not in logs.getvalue()
        world.app.rejections.log_summary()
        assert logs.getvalue().count("rejected") == 1
        assert "visitors=30" in logs.getvalue()


@pytest.mark.settings(PARLEY_LIMITS="default", PARLEY_CONNECTIONS_MAX="40")
async def test_one_address_never_takes_all_connections(process: Process):
    lines = [await Line(process.port).open() for _ in range(100)]
    async with asyncio.timeout(5):
        assert await request(process.port, "GET /health/live HTTP/1.1\nHost: x", b"", "127.0.0.8")
    await close_all(lines)


@pytest.fixture
def few_open_files() -> Iterator[None]:
    """New processes start with a low soft limit of open files."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("few_open_files")
async def test_the_limit_of_open_files_is_raised_at_startup(database_url, process_of):
    process: Process = await process_of(database_url)
    limits = Path(f"/proc/{process.pid}/limits").read_text().splitlines()
    _, soft, hard, _ = next(one for one in limits if "open files" in one).rsplit(maxsplit=3)
    assert soft == hard
    assert int(soft) > 256


# Packets on an open connection.


async def test_repeated_entries_take_linear_time(world: World):
    """A regression: each finished entry queued all waiting packets again."""

    async def cost_of(count: int) -> float:
        async with websocket_of(world) as line, asyncio.timeout(60):
            before = time.process_time()
            await line.send(frames("40/auth,", count))
            for _ in range(count):
                await line.reader.readuntil(b"40/auth")
            return time.process_time() - before

    await cost_of(500)
    few, many = await cost_of(2_000), await cost_of(8_000)
    assert many < few * 8


@pytest.mark.settings(PARLEY_LIMITS="default")
@pytest.mark.parametrize(
    "packet",
    ["40/auth,", "40/x,", '40/profile,{"token":"x.y.z"}', "41/auth,", "42/auth,[]", "2", "3"],
)
async def test_a_flood_of_packets_is_cheap_and_does_not_delay_others(process: Process, packet: str):
    ana, ben = await process.sign_up("ana"), await process.sign_up("ben")
    await ana.enter("/chat")
    await ben.enter("/chat")
    chat = (await ana.call("/chat", "open", user_id=ben.id))["id"]
    lines = [await open_websocket(process.port) for _ in range(3)]
    with measured(process.pid) as usage:
        flooding = asyncio.gather(*(line.send(frames(packet, 32_000)) for line in lines))
        slowest = 0.0
        for number in range(10):
            words, began = f"word {number}", time.monotonic()
            await ana.call("/chat", "send", conversation_id=chat, client_id=words, text=words)
            await ben.client.until(lambda words=words: words in received_by(ben.client))
            slowest = max(slowest, time.monotonic() - began)
        for line in lines:
            await line.close()
        await flooding
    assert slowest < RECEIVED_WITHIN_S
    assert usage.cpu_s < 3.0
    assert usage.grown_mb < 64


def received_by(client: Client) -> set[str]:
    return {event.data["message"]["text"] for event in client.events("MESSAGE_SENT")}


@pytest.mark.settings(PARLEY_LIMITS="default", PARLEY_ENTRIES_BURST="5", PARLEY_ENTRIES_PER_S="1")
async def test_entering_too_often_is_refused_and_then_disconnects(world: World):
    async with websocket_of(world) as line, asyncio.timeout(5):
        await line.send(frames("40/auth,", 40))
        received = await line.ended()
    assert 10 < received.count(b"RATE_LIMITED") <= 21
    ana = await world.person("ana")  # from another address
    await ana.enter("/profile")


@pytest.mark.settings(PARLEY_LIMITS="default", PARLEY_ENTRIES_BURST="10", PARLEY_ENTRIES_PER_S="1")
async def test_an_invalid_token_is_charged_more_than_a_valid_one(world: World):
    received = b""
    async with websocket_of(world) as line, asyncio.timeout(5):
        await line.send(frames('40/profile,{"token":"x.y.z"}', 5))
        while received.count(b"RATE_LIMITED") < 3:
            received += await line.reader.read(4_096)
    assert received.count(b"TOKEN_INVALID") == 2


@pytest.mark.settings(PARLEY_LIMITS="default", PARLEY_ENTRIES_BURST="10", PARLEY_ENTRIES_PER_S="1")
async def test_an_entry_with_many_rooms_is_charged_for_each_room(world: World):
    rooms = {f"consultant:{number}": 0 for number in range(1_000)}
    visitor = await world.visitor()
    await visitor.enter("/consultants", since=rooms)
    with pytest.raises(Refused, match="RATE_LIMITED"):
        await visitor.enter("/availability")


@pytest.mark.settings(PARLEY_LIMITS="default")
async def test_leaving_while_entering_does_not_pile_up_unfinished_entries(
    world: World, monkeypatch
):
    let_in, entering = asyncio.Event(), Counter()

    async def wait(socket, auth):
        entering["all"] += 1
        await let_in.wait()
        return Entry(0, 0)

    monkeypatch.setattr(world.app.gate, "let_in", wait)
    async with websocket_of(world) as line, asyncio.timeout(5):
        for _ in range(STILL_WORKING_MAX + 5):
            await line.send(frames("40/auth,", 1) + frames("41/auth,", 1))
        received = b""
        while received.count(b"RATE_LIMITED") < 5:
            received += await line.reader.read(4_096)
        assert entering["all"] == STILL_WORKING_MAX
        let_in.set()
        (connection,) = world.app.sockets.connections
        await until(lambda: not connection.still_working)


@pytest.mark.settings(PARLEY_LIMITS="default", PARLEY_REPLAYS_BURST="150", PARLEY_REPLAYS_PER_S="1")
async def test_replays_are_charged_to_the_user_who_requests_them(world: World):
    ana = await world.person("ana")
    room = f"user:{ana.id}"
    for number in range(60):
        await ana.call("/profile", "update", first_name=f"Ana {number}")
    replayed = 0
    for _ in range(3):
        device = await ana.device()
        await device.enter("/profile", since={room: 0})
        replayed += len(device.events("USER_UPDATED"))
    assert replayed == 180
    refused = await ana.device()
    with pytest.raises(Exception, match="RATE_LIMITED"):
        await refused.enter("/profile", since={room: 0})
    await refused.enter("/profile")  # without a replay


async def test_a_client_that_ignores_a_full_queue_is_disconnected(world: World):
    async with websocket_of(world) as line, asyncio.timeout(10):
        await line.send(frames("40/auth,", 1))
        await line.reader.readuntil(b'"synced"')
        await line.send(frames('42/auth,1["providers",{}]', 3_000))
        await line.ended()
    assert (await world.metrics())['parley_rejected_total{kind="flood"}'] == 1


@pytest.mark.settings(PARLEY_LIMITS="default", PARLEY_FRAMES_BURST="100", PARLEY_FRAMES_PER_S="10")
async def test_a_connection_that_sends_too_many_frames_is_read_slowly(world: World):
    async with websocket_of(world) as line:
        await line.send(frames("3", 200))
        await until(lambda: paced(world))
        assert await request(world.port, POLLING, b"", ATTACKER_ADDRESS) == 200


@pytest.mark.settings(PARLEY_LIMITS="default")
async def test_closed_connections_leave_no_state_in_the_limits(world: World):
    kept = []
    for _ in range(3):
        lines = [await open_websocket(world.port) for _ in range(5)]
        for line in lines:
            await line.send(frames("40/auth,", 1))
            await line.reader.readuntil(b"synced")
        await close_all(lines)
        await until(lambda: not world.app.sockets.connections)
        kept.append(world.app.limits.keys_kept())
    assert kept[0] == kept[2]


@pytest.mark.settings(PARLEY_LIMITS="default", PARLEY_FRAMES_BURST="100", PARLEY_FRAMES_PER_S="1")
async def test_visitors_of_an_address_share_one_frame_rate(world: World):
    lines = [await open_websocket(world.port) for _ in range(20)]
    for line in lines:
        await line.send(frames("3", 60))
    await until(lambda: paced(world))
    ana = await world.person("ana")  # from another address
    assert (await ana.call("/profile", "me"))["first_name"] == "Ana"
    await close_all(lines)


def paced(world: World) -> bool:
    return any(one.outgoing.websocket._paced for one in world.app.sockets.connections)


@pytest.mark.settings(
    PARLEY_LIMITS="default", PARLEY_REQUESTS_BURST="50", PARLEY_REQUESTS_PER_S="5"
)
async def test_requests_of_an_address_are_rate_limited(world: World, monkeypatch):
    monkeypatch.setattr("server.http.REFUSED_AFTER_S", 0)
    statuses = [
        await request(world.port, "GET /nothing HTTP/1.1\nHost: x\nConnection: close")
        for _ in range(70)
    ]
    assert statuses[:50] == [404] * 50
    assert statuses[-1] == 429
    assert await request(world.port, "GET /nothing HTTP/1.1\nHost: x", b"", "127.0.0.8") == 404


@pytest.mark.settings(PARLEY_LIMITS="default", PARLEY_REQUESTS_BURST="5", PARLEY_REQUESTS_PER_S="1")
async def test_refusals_in_a_flood_of_requests_are_delayed(process: Process):
    """Immediate refusals would let a flood take all of the server's CPU time."""
    asked = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
    async with Line(process.port) as line:
        with measured(process.pid) as usage:
            flooding = asyncio.create_task(line.send(asked * 50_000))
            began, received = time.monotonic(), b""
            while received.count(b" 429 ") < 3:
                received += await line.reader.read(4_096)
            assert time.monotonic() - began > 2 * REFUSED_AFTER_S
        flooding.cancel()
        await asyncio.gather(flooding, return_exceptions=True)
    assert usage.cpu_s < 0.5


async def test_a_path_with_many_slashes_is_cheap(world: World):
    async def cost_of(path: str) -> float:
        before = time.process_time()
        for _ in range(50):
            await request(world.port, f"GET {path} HTTP/1.1\nHost: x\nConnection: close")
        return time.process_time() - before

    longest = "/client/" + "a/" * ((LINE_MAX - 30) // 2)
    assert await cost_of(longest) < 50 * 0.01
    too_long = f"GET /{'a/' * 3_000} HTTP/1.1\nHost: x"
    assert await request(world.port, too_long) == 400


@pytest.mark.settings(PARLEY_LIMITS="default")
async def test_an_office_of_300_users_can_open_the_page_at_once(process: Process):
    """Three hundred users behind one address request a hundred files each."""
    asked = b"GET /client/when.js HTTP/1.1\r\nHost: x\r\n\r\n"
    others = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    with measured(process.pid) as usage:
        async with Line(process.port) as line, asyncio.timeout(60):
            for _ in range(300):
                statuses = await statuses_of(line, others + asked * 100)
                assert set(statuses) == {200}
    assert usage.cpu_s < 30_000 * 0.001


async def statuses_of(line: Line, requests: bytes) -> list[int]:
    """Send pipelined requests, and return the status of each response."""
    sending = asyncio.create_task(line.send(requests))
    statuses = []
    for _ in range(requests.count(b"GET ")):
        head = await line.reader.readuntil(b"\r\n\r\n")
        statuses.append(int(head.split()[1]))
        length = next(one for one in head.split(b"\r\n") if one.startswith(b"Content-Length"))
        await line.reader.readexactly(int(length.split()[1]))
    await sending
    return statuses
