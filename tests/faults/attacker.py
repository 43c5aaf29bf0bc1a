"""What an attacker does, and what it costs the server's process."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from os import sysconf
from pathlib import Path

ELSEWHERE = "127.0.0.9"
"""An address of the attacker's own: all of 127.0.0.0/8 is this machine."""
TICKS_PER_S = sysconf("SC_CLK_TCK")
HANDSHAKE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
    b"Host: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def cpu_s(pid: int) -> float:
    """The seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def peak_mb(pid: int) -> float:
    """The most memory that a process has had, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(one for one in status.splitlines() if one.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


@dataclass
class Bill:
    """What happened inside `billed` cost the process so much."""

    cpu_s: float = 0.0
    grown_mb: float = 0.0


@contextmanager
def billed(pid: int) -> Iterator[Bill]:
    bill, cpu, memory = Bill(), cpu_s(pid), peak_mb(pid)
    yield bill
    bill.cpu_s, bill.grown_mb = cpu_s(pid) - cpu, peak_mb(pid) - memory


class Line:
    """A bare TCP connection from an address of the attacker's choice."""

    def __init__(self, port: int, address: str = ELSEWHERE) -> None:
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
        """Send it, as far as the server takes it; one that closes meanwhile has said enough."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except ConnectionError:
            return

    async def status(self) -> int:
        """The status of the next HTTP answer; 0 when the connection was closed without one."""
        try:
            head = await self.reader.readuntil(b"\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0
        return int(head.split()[1])

    async def ended(self) -> bytes:
        """All that still comes, once the server has closed the connection."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b""

    async def dribble(self, piece: bytes) -> None:
        """Send a piece again and again, slowly, until cancelled."""
        while True:
            await self.send(piece)
            await asyncio.sleep(0.05)

    async def close(self) -> None:
        self.writer.transport.abort()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


@asynccontextmanager
async def dribbling(line: Line, piece: bytes = b"1\r\nx\r\n") -> AsyncIterator[None]:
    """Meanwhile a little is sent now and then."""
    task = asyncio.create_task(line.dribble(piece))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def request(port: int, head: str, body: bytes = b"", address: str = ELSEWHERE) -> int:
    """One HTTP request by bare bytes; the status of its answer."""
    async with Line(port, address) as line:
        await line.send(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        return await line.status()


async def open_websocket(port: int, address: str = ELSEWHERE) -> Line:
    """A websocket whose handshake was taken."""
    line = await Line(port, address).open()
    await line.send(HANDSHAKE)
    assert await line.status() == 101
    return line


def frames(text: str, count: int) -> bytes:
    """The same short text frame again and again."""
    body = text.encode()
    assert len(body) < 126
    one = bytes((0x81, 0x80 | len(body))) + b"\0\0\0\0" + body
    return one * count
