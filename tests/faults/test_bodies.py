"""Hostile request bodies: compressed, endless, slow, or where none is allowed."""

import asyncio
import re
import zlib

import aiohttp
import pytest

from tests.faults.attacker import Line, measured, request, sending_slowly
from tests.world import Process, World, one_database, until

pytestmark = one_database
PATHS = (
    "/",
    "/nothing/here",
    "/uploads",
    "/uploads/x/complete",
    "/files/incoming/x",
    "/oauth/x/callback",
    "/socket.io/?EIO=4&transport=polling",
    "/socket.io/?EIO=4&transport=polling&sid=x",
)
UNPACKED_MB = 300
REPEATS = 3
POSTED = 4_000_000
SID = re.compile(rb'"sid":"([^"]+)"')


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """A gzip body of 300 KiB that decompresses to 300 MiB."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(1024**2)
    return b"".join(compressor.compress(zeros) for _ in range(UNPACKED_MB)) + compressor.flush()


@pytest.mark.settings(PARLEY_LIMITS="default")
async def test_a_compressed_body_is_refused_and_never_decompressed(process: Process, bomb: bytes):
    with measured(process.pid) as usage:
        for path in PATHS:
            for encoding in ("gzip", "deflate", "br", " GZIP , identity"):
                head = (
                    f"POST {path} HTTP/1.1\nHost: x\nContent-Encoding: {encoding}\n"
                    f"Content-Length: {len(bomb)}"
                )
                assert await request(process.port, head, bomb) in (415, 405)
    assert usage.cpu_s < 1.0
    assert usage.grown_mb < 16


@pytest.mark.settings(PARLEY_LIMITS="default")
@pytest.mark.parametrize("path", ["/uploads", "/socket.io/?EIO=4&transport=polling&sid=x"])
async def test_an_endless_chunked_body_is_refused_at_the_size_limit(process: Process, path: str):
    head = f"POST {path} HTTP/1.1\nHost: x\nTransfer-Encoding: chunked"
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    with measured(process.pid) as usage:
        for _ in range(REPEATS):
            assert await request(process.port, head, chunk * 200) == 413
    assert usage.grown_mb < 16
    assert usage.cpu_s < 1.0


@pytest.mark.settings(PARLEY_LIMITS="default")
@pytest.mark.parametrize("packet", ["40/auth,", '42/auth,["providers",{}]', "b" + "A" * 500_000])
async def test_posts_of_many_or_large_packets_are_cheap(process: Process, packet: str):
    body = "\x1e".join([packet] * (POSTED // (len(packet) + 1))).encode()
    with measured(process.pid) as usage:
        for _ in range(REPEATS):
            async with Line(process.port) as line:
                sid = await opened(line)
                await line.send(post_of(sid, b"40/auth,"))
                assert await line.status() == 200
                await line.send(post_of(sid, body))
                await until(lambda line=line: not line.writer.transport.get_write_buffer_size())
    assert usage.grown_mb < 32
    assert usage.cpu_s < 2.0


async def opened(line: Line) -> str:
    """Open a polling connection; returns its sid."""
    await line.send(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n")
    found = SID.search(await line.reader.readuntil(b"}"))
    assert found is not None
    return found[1].decode()


def post_of(sid: str, body: bytes) -> bytes:
    head = f"POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: x\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@pytest.mark.parametrize("size", [65_537, 10**12, 10**30])
async def test_a_too_large_content_length_is_refused_before_the_body_is_read(
    world: World, size: int
):
    head = f"POST /uploads HTTP/1.1\nHost: x\nContent-Length: {size}"
    assert await request(world.port, head) in (400, 413)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/", "/health", "/socket.io/?EIO=4&transport=polling"])
async def test_a_body_is_refused_where_none_is_allowed(world: World, method: str, path: str):
    head = f"{method} {path} HTTP/1.1\nHost: x\nContent-Length: 4"
    assert await request(world.port, head, b"body") == 400
    assert not world.app.sockets.eio.sockets


@pytest.mark.parametrize(
    "head",
    [
        "POST /uploads HTTP/1.1\nHost: x\nContent-Length: 4000",
        "POST /socket.io/?EIO=4&transport=polling&sid=x HTTP/1.1\nHost: x\nContent-Length: 4000",
        "POST /oauth/x/callback HTTP/1.1\nHost: x\nTransfer-Encoding: chunked",
    ],
)
async def test_a_slow_request_body_times_out(world: World, monkeypatch, head: str):
    monkeypatch.setattr("server.bodies.BODY_WITHIN_S", 0.3)
    async with Line(world.port) as line, asyncio.timeout(5):
        await line.send(head.replace("\n", "\r\n").encode() + b"\r\n\r\n")
        async with sending_slowly(line):
            assert await line.status() == 408
            await line.ended()


async def test_a_slow_file_upload_times_out(world: World, monkeypatch):
    monkeypatch.setattr("handlers.platform.uploads.routes.SLOW_START_S", 0.2)
    ana = await world.person("ana")
    address = await begin_upload(world, ana.token, size=1_000_000)
    head = (
        f"PUT {address} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
        f"Content-Length: 1000000\r\n\r\n"
    )
    async with Line(world.port) as line, asyncio.timeout(5):
        await line.send(head.encode())
        async with sending_slowly(line):
            assert await line.status() == 503
            await line.ended()


async def begin_upload(world: World, token: str, size: int) -> str:
    """Begin an upload of this size in bytes, and return the path for its PUT."""
    ask = {"name": "a.txt", "content_type": "text/plain", "size": size, "sha256": "0" * 64}
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{world.url}/uploads", json=ask, headers=headers) as answer,
    ):
        put: str = (await answer.json())["put"]["url"]
    return "/files/" + put.partition("/files/")[2]


async def test_a_client_that_does_not_read_its_response_is_disconnected(world: World, monkeypatch):
    """A response waits for its reader for at most `STALLED_MAX_S`."""
    monkeypatch.setattr("server.http_server.STALLED_MAX_S", 1)
    async with Line(world.port) as line:
        line.writer.transport.pause_reading()  # type: ignore[attr-defined]
        wanted = b"GET /client/contracts.d.ts HTTP/1.1\r\nHost: x\r\n\r\n"
        line.writer.write(wanted * 400)  # more than all buffers on the way hold
        await until(lambda: world.app.capacity.counts()["tcp_connections"] == 1)
        await until(lambda: world.app.capacity.counts()["tcp_connections"] == 0, within_s=30)


async def test_slow_request_headers_time_out(world: World, monkeypatch):
    monkeypatch.setattr("server.http_server.KEPT_ALIVE_S", 0.5)
    world = await restarted(world)
    async with Line(world.port) as line, asyncio.timeout(10):
        await line.send(b"GET / HTTP/1.1\r\nHost: x\r\n")
        async with sending_slowly(line, b"X: y\r\n"):
            await line.ended()


async def restarted(world: World) -> World:
    """Restart the server, which reads its constants when it starts to listen."""
    await world.restart()
    return world


@pytest.mark.settings(
    PARLEY_LIMITS="default", PARLEY_REQUESTS_BURST="50", PARLEY_REQUESTS_PER_S="5"
)
async def test_a_large_response_counts_as_several_requests(world: World, monkeypatch):
    monkeypatch.setattr("server.http.REFUSED_AFTER_S", 0)
    asked = "GET /docs/asyncapi.json HTTP/1.1\nHost: x\nConnection: close"
    statuses = [await request(world.port, asked) for _ in range(10)]
    assert 1 <= statuses.count(200) <= 3
    assert statuses[-1] == 429
