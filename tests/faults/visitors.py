"""Many connections in one small process: `python -m tests.faults.visitors PORT FILE`.

`run.py fixture` makes `FILE`. Each client enters /chat and answers the server's PINGs. When all
have entered, the process prints a line and keeps them connected until it is killed, or until the
server closes a connection.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import uvloop

CONCURRENT = 50
"""How many clients connect at the same time."""
HANDSHAKE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
    b"Host: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
PING, PONG = b"\x81\x012", b"\x81\x81\0\0\0\x003"


class CrowdClient(asyncio.Protocol):
    """One connection of a user."""

    def __init__(self, auth: str, lost: asyncio.Event) -> None:
        self._auth = auth
        self._lost = lost
        self._received = b""
        self.entered = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(HANDSHAKE)

    def connection_lost(self, error: Exception | None) -> None:
        self._lost.set()

    def data_received(self, data: bytes) -> None:
        if data.endswith(PING):
            self._transport.write(PONG)
        if self.entered.done():
            return
        self._received += data
        if self._auth and b"\r\n\r\n" in self._received:
            self._transport.write(frame(f"40/chat,{self._auth}"))
            self._auth = ""
        if b'"synced"' in self._received:
            self._received = b""
            self.entered.set_result(None)


def frame(text: str) -> bytes:
    """A client's text frame, masked with zeros."""
    body = text.encode()
    return b"\x81\xfe" + len(body).to_bytes(2, "big") + b"\0\0\0\0" + body


async def main(port: int, file: Path) -> None:
    free, lost = asyncio.Semaphore(CONCURRENT), asyncio.Event()

    async def connect(auth: str) -> None:
        async with free:
            _, client = await asyncio.get_running_loop().create_connection(
                lambda: CrowdClient(auth, lost), "127.0.0.1", port
            )
            await client.entered

    auths = [line.partition("\t")[0] for line in file.read_text().splitlines()]
    await asyncio.gather(*map(connect, auths))
    print("all are in", flush=True)  # noqa: T201
    await lost.wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), Path(sys.argv[2])))
