"""Many connections in one small process: `python -m tests.faults.visitors PORT FILE`.

`FILE` is what `run.py fixture` makes. Each connection enters /chat and answers the server's PINGs;
once all are in, this is said, and they stay until the process is killed (or the server gone).
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import uvloop

AT_ONCE = 50
"""So many are on their way in at a time."""
HELLO = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
    b"Host: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
PING, PONG = b"\x81\x012", b"\x81\x81\0\0\0\x003"


class Visitor(asyncio.Protocol):
    """One connection."""

    def __init__(self, auth: str, lost: asyncio.Event) -> None:
        self._auth = auth
        self._lost = lost
        self._heard = b""
        self.is_in = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(HELLO)

    def connection_lost(self, error: Exception | None) -> None:
        self._lost.set()

    def data_received(self, data: bytes) -> None:
        if data.endswith(PING):
            self._transport.write(PONG)
        if self.is_in.done():
            return
        self._heard += data
        if self._auth and b"\r\n\r\n" in self._heard:
            self._transport.write(frame(f"40/chat,{self._auth}"))
            self._auth = ""
        if b'"synced"' in self._heard:
            self._heard = b""
            self.is_in.set_result(None)


def frame(text: str) -> bytes:
    """One text frame as clients send it, masked with zeros."""
    body = text.encode()
    return b"\x81\xfe" + len(body).to_bytes(2, "big") + b"\0\0\0\0" + body


async def main(port: int, file: Path) -> None:
    free, lost = asyncio.Semaphore(AT_ONCE), asyncio.Event()

    async def come(auth: str) -> None:
        async with free:
            _, visitor = await asyncio.get_running_loop().create_connection(
                lambda: Visitor(auth, lost), "127.0.0.1", port
            )
            await visitor.is_in

    auths = [line.partition("\t")[0] for line in file.read_text().splitlines()]
    await asyncio.gather(*map(come, auths))
    print("all are in", flush=True)  # noqa: T201
    await lost.wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), Path(sys.argv[2])))
