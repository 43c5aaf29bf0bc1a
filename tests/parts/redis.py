"""A Redis server for a test, on a free port; a test can kill, freeze and restart it."""

import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.parts.ports import free_port
from tests.parts.postgres import unprivileged
from tests.world import until

START_LIMIT_S = 10
SLOTS = 16_384


class RedisServer:
    """A server that stores nothing on disk."""

    def __init__(self, **settings: str) -> None:
        self._settings = settings
        self.cluster_port = settings.get("cluster-port", "")
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.client: Redis = Redis.from_url(self.url)
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise FileNotFoundError("redis-server: run sh scripts/services")
        settings = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no"}
        settings |= self._settings
        options = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
        self._process = subprocess.Popen(
            [*unprivileged(), program, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        await until(self._answers, within_s=START_LIMIT_S)

    async def _answers(self) -> bool:
        try:
            return bool(await self.client.ping())
        except (RedisError, OSError):
            return False

    def kill(self) -> None:
        """Send SIGKILL; `start` starts a new server on the same port."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Stop answering, but keep the connections open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    async def close(self) -> None:
        await self.client.aclose()
        if self._process is not None and self._process.poll() is None:
            self.kill()


@asynccontextmanager
async def running_redis() -> AsyncIterator[RedisServer]:
    """Start a server, and end it afterwards."""
    server = RedisServer()
    try:
        await server.start()
        yield server
    finally:
        await server.close()


@asynccontextmanager
async def running_cluster(count: int) -> AsyncIterator[list[RedisServer]]:
    """Start a cluster of `count` primaries that share its slots, and end them afterwards."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        folder.chmod(0o777)  # for the unprivileged account that they run as
        servers = []
        for number in range(count):
            options = {"cluster-enabled": "yes", "cluster-port": str(free_port())}
            options |= {"cluster-config-file": f"nodes-{number}.conf", "dir": str(folder)}
            servers.append(RedisServer(**options))
            stack.push_async_callback(servers[-1].close)
            await servers[-1].start()
        await _join(servers)
        yield servers


async def _join(servers: list[RedisServer]) -> None:
    bounds = [number * SLOTS // len(servers) for number in range(len(servers) + 1)]
    for number, server in enumerate(servers):
        ask = server.client.execute_command
        await ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        await ask("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
        await ask("CLUSTER", "MEET", "127.0.0.1", servers[0].port, servers[0].cluster_port)
    for server in servers:
        await until(partial(_knows_all, server, len(servers)), within_s=START_LIMIT_S)


async def _knows_all(server: RedisServer, count: int) -> bool:
    about = await server.client.cluster("INFO")
    state, size = about["cluster_state"], about["cluster_size"]
    return bool(state == "ok" and int(size) == count)
