"""Unusual clients: one that sends raw frames and can stop reading, and one that only polls."""

import asyncio
import json
import socket
from typing import Any

import aiohttp

from tests.wire_client import Client
from tests.world import World

SMALL_BUFFER = 4_096
_REQUEST = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
    "Host: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Raw:
    """A WebSocket on a bare TCP connection with small buffers, which reads only on request."""

    def __init__(self, world: World) -> None:
        self._port = world.port
        world.clients.append(self)

    async def open(self) -> "Raw":
        bare = socket.socket()
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        bare.setblocking(False)
        await asyncio.get_running_loop().sock_connect(bare, ("127.0.0.1", self._port))
        self.reader, self._writer = await asyncio.open_connection(sock=bare, limit=SMALL_BUFFER)
        self._writer.write(_REQUEST.format(port=self._port).encode())
        await self.reader.readuntil(b"\r\n\r\n")
        return self

    async def until(self, text: bytes) -> bytes:
        """Read until `text` arrives; returns everything that was read."""
        read = b""
        while text not in read:
            chunk = await self.reader.read(1_024)
            assert chunk, read
            read += chunk
        return read

    def say(self, text: str, *, opcode: int = 1, final: bool = True) -> None:
        """Send one frame, masked with zeros."""
        body = text.encode()
        size = len(body)
        head = bytes(((0x80 if final else 0) | opcode,))
        if size < 126:
            head += bytes((0x80 | size,))
        elif size < 65_536:
            head += b"\xfe" + size.to_bytes(2, "big")
        else:
            head += b"\xff" + size.to_bytes(8, "big")
        self._writer.write(head + b"\0\0\0\0" + body)

    async def close(self) -> None:
        self._writer.transport.abort()
        await asyncio.sleep(0)  # so that the loop releases the transport


class Poller:
    """An Engine.IO client that never upgrades."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.frames: list[str] = []
        world.clients.append(self)

    async def open(self) -> "Poller":
        self._http = aiohttp.ClientSession()
        self.address = f"{self._world.url}/socket.io/?EIO=4&transport=polling"
        async with self._http.get(self.address) as answer:
            self.opened = json.loads((await answer.text())[1:])
        self.address += f"&sid={self.opened['sid']}"
        return self

    async def post(self, text: str | bytes) -> int:
        """Send packets by POST; returns the HTTP status."""
        async with self._http.post(self.address, data=text) as answer:
            return answer.status

    async def poll(self) -> int:
        """Poll once and add what arrives to `frames`; returns the HTTP status."""
        async with self._http.get(self.address) as answer:
            if answer.status == 200:
                self.frames += (await answer.text()).split("\x1e")
            return answer.status

    async def enter(self, namespace: str, token: str, **auth: Any) -> "Poller":
        assert await self.post(f"40{namespace},{json.dumps({'token': token, **auth})}") == 200
        while not any('"synced"' in frame for frame in self.frames):
            assert await self.poll() == 200
        return self

    async def close(self) -> None:
        await self._http.close()


async def begin_to_enter(client: Client, namespace: str, **auth: Any) -> asyncio.Future[None]:
    """Send a CONNECT without waiting; the future is its answer."""
    future = client._connecting[namespace] = asyncio.get_running_loop().create_future()
    await client.ws.send_str(f"40{namespace},{json.dumps(auth)}")
    return future


def events_in(frames: list[str], name: str) -> list[tuple[Any, Any]]:
    """`(data, meta)` of the events of this name among raw frames, in order."""
    packets = [frame.partition(",")[2] for frame in frames if frame.startswith("42")]
    said = [json.loads(packet) for packet in packets]
    return [(one[1], one[2]) for one in said if one[0] == name]
