"""An attacker's raw connections, and their cost for the server's process."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from os import sysconf
from pathlib import Path

ATTACKER_ADDRESS = "127.0.0.9"
"""The attacker's own address: all of 127.0.0.0/8 is this machine."""
TICKS_PER_S = sysconf("SC_CLK_TCK")
HANDSHAKE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
    b"Host: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def cpu_s(pid: int) -> float:
    """The CPU time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def peak_mb(pid: int) -> float:
    """The peak memory of a process, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(one for one in status.splitlines() if one.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


@dataclass
class Usage:
    """The CPU time of a process within `measured`, and the growth of its peak memory."""

    cpu_s: float = 0.0
    grown_mb: float = 0.0


@contextmanager
def measured(pid: int) -> Iterator[Usage]:
    usage, cpu, memory = Usage(), cpu_s(pid), peak_mb(pid)
    yield usage
    usage.cpu_s, usage.grown_mb = cpu_s(pid) - cpu, peak_mb(pid) - memory


class Line:
    """A raw TCP connection from any local address."""

    def __init__(self, port: int, address: str = ATTACKER_ADDRESS) -> None:
        self._port = port
        self._address = address

    async def __aenter__(self) -> "Line":
        return await self.open()

    async def __aexit__(self, *raised: object) -> None:
        await self.close()

    async def open(self) -> "Line":
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", self._port, local_addr=(self._address, 0)
        )
        return self

    async def send(self, data: bytes) -> None:
        """Send data; it is no error if the server closes the connection meanwhile."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except ConnectionError:
            return

    async def status(self) -> int:
        """The status of the next HTTP response; 0 if the connection is closed without one."""
        try:
            head = await self.reader.readuntil(b"\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0
        return int(head.split()[1])

    async def ended(self) -> bytes:
        """Read until the server closes the connection, and return what it sent."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b""

    async def send_slowly(self, chunk: bytes) -> None:
        """Send a chunk every 50 ms until cancelled."""
        while True:
            await self.send(chunk)
            await asyncio.sleep(0.05)

    async def close(self) -> None:
        self.writer.transport.abort()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


@asynccontextmanager
async def sending_slowly(line: Line, chunk: bytes = b"1\r\nx\r\n") -> AsyncIterator[None]:
    """Send a chunk every 50 ms in the background."""
    task = asyncio.create_task(line.send_slowly(chunk))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def request(port: int, head: str, body: bytes = b"", address: str = ATTACKER_ADDRESS) -> int:
    """Send one raw HTTP request, and return the status of its response."""
    async with Line(port, address) as line:
        await line.send(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        return await line.status()


async def open_websocket(port: int, address: str = ATTACKER_ADDRESS) -> Line:
    """Open a websocket with a handshake that the server accepts."""
    line = await Line(port, address).open()
    await line.send(HANDSHAKE)
    assert await line.status() == 101
    return line


def frames(text: str, count: int) -> bytes:
    """The same short text frame, repeated."""
    body = text.encode()
    assert len(body) < 126
    one = bytes((0x81, 0x80 | len(body))) + b"\0\0\0\0" + body
    return one * count
