"""A Redis server of the test's own, on a free port; it can be killed, stopped and started again."""

import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.parts.postgres import free_port, unprivileged
from tests.world import until

START_LIMIT_S = 10


class RedisServer:
    """A server that keeps nothing on disk."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.client: Redis = Redis.from_url(self.url)
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise FileNotFoundError("redis-server: run sh scripts/services")
        settings = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no"}
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
        """As kill -9 does; `start` makes another one on the same port."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
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
