"""Finding the Redis servers leaves no connection open, whatever the asked server answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from rooms.redis_client import FAILURES
from rooms.redis_shards import Shards, find_shards
from tests.world import until

WITHIN_S = 0.2


class Server:
    """Answers INFO as a server of a cluster does, and CLUSTER SLOTS as a test says."""

    def __init__(self, slots: bytes | None, info: bytes) -> None:
        self.connected = 0
        self.asked_for_slots = False
        self._answers = {b"$4\r\nINFO\r\n": info, b"SLOTS": slots}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connected += 1
        while read := await reader.read(4096):
            self.asked_for_slots |= b"SLOTS" in read
            for name, answer in self._answers.items():
                if name in read:
                    writer.write(answer or b"")
            writer.write(b"+OK\r\n" * read.count(b"SETINFO"))
        self.connected -= 1
        writer.close()


INFO = b"redis_version:7.4.0\r\ncluster_enabled:1\r\n"
CLUSTERED = b"$%d\r\n%s\r\n" % (len(INFO), INFO)


@asynccontextmanager
async def running(
    slots: bytes | None, info: bytes = CLUSTERED
) -> AsyncIterator[tuple[Server, str]]:
    server = Server(slots, info)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield server, f"redis://127.0.0.1:{port}?protocol=2"


@pytest.mark.parametrize(
    "slots",
    [b"-ERR no cluster\r\n", b"*1\r\n:5\r\n", b"*1\r\n*1\r\n:5\r\n", None],
    ids=["an error", "no list", "an incomplete list", "silence"],
)
async def test_a_list_that_fails_leaves_no_connection_open(slots):
    async with running(slots) as (server, url):
        with pytest.raises(FAILURES):
            await find_shards(url, WITHIN_S)
        assert server.asked_for_slots
        await until(lambda: not server.connected, within_s=2)


async def test_a_description_without_a_version_is_a_failed_connection():
    async with running(None, b"$3\r\na:b\r\n") as (server, url):
        with pytest.raises(ConnectionError, match="makes no sense"):
            await find_shards(url, WITHIN_S)
        await until(lambda: not server.connected, within_s=2)


class Node:
    """A connection that takes a moment to close."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.closed = False
        self._failure = failure

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        if self._failure is not None:
            raise self._failure
        await asyncio.sleep(0.01)
        self.closed = True


async def test_a_connection_that_fails_to_close_keeps_no_other_open():
    failing, other = Node(OSError()), Node()
    shards = Shards(failing)
    shards.nodes = [failing, other]
    await shards.close()
    assert other.closed


async def test_connections_close_though_their_owner_is_cancelled_meanwhile():
    node = Node()
    closing = asyncio.create_task(Shards(node).close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert node.closed
