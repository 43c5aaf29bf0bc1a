"""The measured servers: this one and its alternatives, each on its own core."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import aiohttp

from tests.parts import postgres
from tests.parts.node import find_node
from tests.parts.ports import free_port
from tests.parts.redis import running_redis
from tests.world import ROOT, environ_of, until

PEERS = Path(__file__).parent / "peers"
READY_WITHIN_S = 30.0
STOPS_WITHIN_S = 15.0
HANDSHAKE = "/socket.io/?EIO=4&transport=polling"
TEXT = "%t hello there, this is a chat message of a usual size, about a hundred bytes"
OUR_SEND = f'["send",{{"conversation_id":"%s","client_id":"%u","text":"{TEXT}"}}]'
PARLEY = "this server"
NODE = "Socket.IO on Node"
NODE_FULL = "Node + SQLite, FULL"
NODE_NORMAL = "Node + SQLite, NORMAL"
PYTHON = "python-socketio"


class NotStarted(Exception):
    """A server exited instead of becoming ready; the text is the end of its log."""


@dataclass
class Server:
    """A running server: its ports, its processes, and the generator's options for it."""

    ports: list[int]
    pids: list[int]
    options: list[str] = field(default_factory=list)
    restart: Callable[[], AbstractAsyncContextManager[None]] | None = None


@dataclass(frozen=True)
class Cores:
    """The core of the server, and the cores of the load, the databases and this program."""

    server: int
    load: frozenset[int]


def share_cores() -> Cores:
    usable = os.sched_getaffinity(0)
    server = min(usable)
    return Cores(server, frozenset(usable - {server}) or frozenset({server}))


@dataclass(frozen=True)
class Bench:
    """The resources that all measurements share."""

    cores: Cores
    folder: Path
    """The folder for the servers' files, on the disk whose speed is measured."""


Start = Callable[[Bench], AbstractAsyncContextManager[Server]]


class Program:
    """A server's process on the server's core."""

    def __init__(self, bench: Bench, port: int, words: list[str], environ: Mapping[str, str]):
        self.port = port
        self._command = ["taskset", "-c", str(bench.cores.server), *words]
        self._environ = {"PATH": os.environ["PATH"], **environ}
        self._log = bench.folder / f"log-{port}"

    async def start(self, ready: str) -> int:
        """Start it and wait until the path `ready` answers 200; returns the process id."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, cwd=ROOT, env=self._environ, stdout=log, stderr=log
            )
        async with aiohttp.ClientSession() as http:
            await until(lambda: self._answers(http, ready), READY_WITHIN_S)
        return self._process.pid

    async def _answers(self, http: aiohttp.ClientSession, path: str) -> bool:
        if self._process.returncode is not None:
            raise NotStarted(f"{self._command} ended:\n{self._log.read_text()[-2_000:]}")
        with suppress(aiohttp.ClientError):
            async with http.get(f"http://127.0.0.1:{self.port}{path}") as answer:
                return answer.status == 200
        return False

    async def kill(self) -> None:
        """Send SIGKILL."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def started(program: Program, ready: str) -> AsyncIterator[int]:
    try:
        yield await program.start(ready)
    finally:
        await program.kill()


# The peers.


def peer(*words: str) -> Start:
    """A server started with this command, in which `PORT` and `FILE` are placeholders."""

    @asynccontextmanager
    async def start(bench: Bench) -> AsyncIterator[Server]:
        port = free_port()
        stands_for = {"PORT": str(port), "FILE": str(bench.folder / f"peer-{port}.db")}
        command = [stands_for.get(word, word) for word in words]
        environ = {"NODE_PATH": os.environ.get("NODE_PATH", "")}
        async with started(Program(bench, port, command, environ), HANDSHAKE) as pid:
            yield Server([port], [pid])

    return start


def node_peer(file: str, *words: str) -> Start:
    return peer(str(find_node()), str(PEERS / file), "PORT", *words)


def peers() -> dict[str, Start]:
    return {
        NODE: node_peer("node.js"),
        NODE_FULL: node_peer("node_sql.js", "FULL", "FILE"),
        NODE_NORMAL: node_peer("node_sql.js", "NORMAL", "FILE"),
        PYTHON: peer(sys.executable, str(PEERS / "bare.py"), "PORT"),
    }


# This server.


def parley(users: int, conversations: int) -> Start:
    """`run.py` on a SQLite file, with this many users and conversations."""

    @asynccontextmanager
    async def start(bench: Bench) -> AsyncIterator[Server]:
        port = free_port()
        folder = bench.folder / f"parley-{port}"
        environ = environ_of(folder, f"sqlite:///{folder}/parley.db", PARLEY_PORT=str(port))
        options = await fill(bench, environ, users, conversations)
        program = Program(bench, port, [sys.executable, "run.py"], environ)
        async with started(program, "/health/ready") as pid:
            yield Server([port], [pid], options, lambda: restarted(program))

    return start


@asynccontextmanager
async def restarted(program: Program) -> AsyncIterator[None]:
    """Kill the server and start it again on its port."""
    await program.kill()
    async with started(program, "/health/ready"):
        yield


async def fill(bench: Bench, environ: Mapping[str, str], users: int, rooms: int) -> list[str]:
    """Create users and conversations; returns the generator's options to act as these users."""
    out = bench.folder / f"users-{environ['PARLEY_PORT']}"
    words = ["fixture", "--users", users, "--conversations", rooms, "--out", out]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "run.py", *map(str, words)),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environ},
        stdout=asyncio.subprocess.DEVNULL,
    )
    if await process.wait() != 0:
        raise NotStarted("run.py fixture failed")
    return ["-a", str(out), "-y", "synced", "-n", "chat:", "-m", OUR_SEND]


def two_instances(users: int, conversations: int) -> Start:
    """Two instances of `run.py` on one PostgreSQL, with fsync, and one Redis."""

    @asynccontextmanager
    async def start(bench: Bench) -> AsyncIterator[Server]:
        durable = {"fsync": "on", "full_page_writes": "on"}
        async with AsyncExitStack() as stack:
            stack.enter_context(patch.dict(postgres.SETTINGS, durable))
            cluster = stack.enter_context(postgres.running_cluster())
            redis = await stack.enter_async_context(running_redis())
            ports = [free_port(), free_port()]
            url = cluster.create("bench")
            environs = [
                environ_of(
                    bench.folder / f"parley-{port}",
                    url,
                    PARLEY_REDIS_URL=redis.url,
                    PARLEY_PORT=str(port),
                )
                for port in ports
            ]
            options = await fill(bench, environs[0], users, conversations)
            command = [sys.executable, "run.py"]
            pids = [
                await stack.enter_async_context(
                    started(Program(bench, port, command, environ), "/health/ready")
                )
                for port, environ in zip(ports, environs, strict=True)
            ]
            yield Server(ports, pids, options)

    return start
