"""A TURN server (coturn) for a test, and the lines to it, which a test can cut or make lossy."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from random import Random

from tests.parts.ports import free_port
from tests.parts.postgres import unprivileged
from tests.world import until

SECRET = "the secret that the TURN server shares"
HOST = "127.0.0.1"
Address = tuple[str, int]


class Line(asyncio.DatagramProtocol):
    """A port that forwards packets to the TURN server, and its answers back."""

    def __init__(self, target: Address) -> None:
        self.loss = 0.0
        """The part of the packets that is dropped; 1 cuts the line."""
        self._target = target
        self._chance = Random(7)  # noqa: S311 - not for security
        self._ends: dict[Address, FarEnd] = {}
        self._opening: list[asyncio.Future[None]] = []
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(HOST, 0))

    @property
    def url(self) -> str:
        assert self._transport is not None
        return f"turn:{HOST}:{self._transport.get_extra_info('sockname')[1]}?transport=udp"

    @property
    def drops(self) -> bool:
        return self._chance.random() < self.loss

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if addr not in self._ends:
            self._ends[addr] = FarEnd(self, addr)
            self._opening.append(asyncio.ensure_future(self._ends[addr].open(self._target)))
        if not self.drops:
            self._ends[addr].send(data)

    def give(self, data: bytes, addr: Address) -> None:
        if self._transport is not None and not self.drops:
            self._transport.sendto(data, addr)

    def close(self) -> None:
        for end in self._ends.values():
            end.close()
        if self._transport is not None:
            self._transport.close()


class FarEnd(asyncio.DatagramProtocol):
    """The socket that speaks with the TURN server for one client of a line."""

    def __init__(self, line: Line, client: Address) -> None:
        self._line, self._client = line, client
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self, target: Address) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, remote_addr=target)

    def send(self, data: bytes) -> None:
        if self._transport is not None:  # the client repeats what came too early
            self._transport.sendto(data)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._line.give(data, self._client)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Turn:
    """A TURN server that accepts the credentials of its secret, and relays on loopback."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        program = shutil.which("turnserver")
        if program is None:
            raise FileNotFoundError("turnserver: run sh scripts/services")
        options = [
            *("-n", "--use-auth-secret", f"--static-auth-secret={SECRET}", "--realm=parley"),
            *(f"--listening-ip={HOST}", f"--relay-ip={HOST}", f"--listening-port={self.port}"),
            *("--allow-loopback-peers", "--no-cli", "--no-tls", "--no-dtls", "--log-file=stdout"),
            *("--no-rfc5780", "--pidfile=/dev/null"),
        ]
        self._process = subprocess.Popen(
            [*unprivileged(), program, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        await until(self._listens)

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(HOST, self.port)
        except OSError:
            return False
        writer.close()
        return True

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()


@asynccontextmanager
async def running_turn(lines: int) -> AsyncIterator[tuple[Turn, list[Line]]]:
    """Start a TURN server and lines to it, and end them afterwards."""
    with ExitStack() as stack:
        turn = Turn()
        stack.callback(turn.close)
        await turn.start()
        opened = [Line((HOST, turn.port)) for _ in range(lines)]
        for line in opened:
            await line.open()
            stack.callback(line.close)
        yield turn, opened
