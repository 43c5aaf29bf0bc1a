"""The parts of a run: instances of run.py with their wires, and PostgreSQL and Redis for several.

Invariants:
- Every part is started and ended by its own handle, and ends with this process.
- An instance that ends unexpectedly is restarted, as by a supervisor, and recorded as a violation:
  it must survive any failure of its database.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from server.settings import Settings
from tests.chaos.records import Records
from tests.chaos.wires import Wire
from tests.parts.launcher import Launched, launch
from tests.parts.ports import free_port
from tests.parts.postgres import Cluster, running_cluster
from tests.parts.redis import RedisServer, running_redis
from tests.world import environ_of, settings_of, until

READY_WITHIN_S = 30.0
ENDS_WITHIN_S = 30.0
RESTARTED_AFTER_S = 0.5
SETTINGS = {
    "PARLEY_LOG": "json",
    "PARLEY_ACCESS_TOKEN_LIFE_S": "86400",
    "PARLEY_DRAIN_S": "1",  # so that a rolling restart does not take half the run
}
HELD = ("parley_connections", "parley_sockets", "parley_held")
"""The gauges of resources that are held only for clients."""


class Instance:
    """One `run.py`, the wire for its clients, and those to its database and Redis."""

    def __init__(self, name: str, environ: dict[str, str], folder: Path, records: Records) -> None:
        self.name = name
        self.port = free_port()
        self.wire = Wire(self.port)
        self.to_database: Wire | None = None
        self.to_redis: Wire | None = None
        self._environ = {**environ, "PARLEY_PORT": str(self.port), "PATH": os.environ["PATH"]}
        self._log = folder / f"{name}.log"
        self._records = records
        self._process: Launched | None = None
        self._supervising: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def open_wires(self) -> None:
        """Open the wire for clients, and wires to the database and Redis."""
        await self.wire.open()
        self.to_database = await self._lead("PARLEY_DATABASE_URL")
        self.to_redis = await self._lead("PARLEY_REDIS_URL")

    async def _lead(self, variable: str) -> Wire | None:
        """A wire to the server in a setting, which then names the wire instead."""
        server = urlsplit(self._environ.get(variable, ""))
        if server.port is None:
            return None
        wire = await Wire(server.port).open()
        netloc = server.netloc.removesuffix(str(server.port)) + str(wire.port)
        self._environ[variable] = server._replace(netloc=netloc).geturl()
        return wire

    def start(self) -> None:
        """Start it; `until_ready` waits until it is ready."""
        self._spawn()
        self._supervising = asyncio.ensure_future(self._supervise())

    async def until_ready(self) -> None:
        """Wait until it is ready; a timeout is a violation."""
        try:
            await until(self._is_ready, within_s=READY_WITHIN_S)
        except TimeoutError:
            self._records.found("not ready", f"{self.name} within {READY_WITHIN_S} s")

    def kill(self) -> None:
        """Send SIGKILL, so that nothing is cleaned up."""
        process = self._let_go()
        process.kill()
        process.wait()

    async def stop(self) -> int:
        """Send SIGTERM and wait for the end; returns the exit code."""
        process = self._let_go()
        if process.poll() is not None:  # it did not start and awaits its restart
            return process.returncode
        process.terminate()
        try:
            await until(lambda: process.poll() is not None, within_s=ENDS_WITHIN_S)
        except TimeoutError:
            self._records.found("did not stop", f"{self.name} within {ENDS_WITHIN_S} s of SIGTERM")
            process.kill()
            process.wait()
        if process.returncode not in (0, -signal.SIGTERM, -signal.SIGKILL):
            self._records.found("did not stop", f"{self.name} ended with {process.returncode}")
        return process.returncode

    def freeze(self) -> None:
        """Stop the process, which keeps its connections."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    async def held(self) -> dict[str, float]:
        """Its gauges of resources for clients."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs if name.partition("{")[0] in HELD}

    def log_lines(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []

    async def close(self) -> None:
        if self._process is not None:
            self.kill()
        for wire in (self.wire, self.to_database, self.to_redis):
            if wire is not None:
                await wire.close()

    def _spawn(self) -> None:
        with self._log.open("ab") as log:
            self._process = launch(["run.py"], self._environ, log)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _let_go(self) -> Launched:
        """Stop supervising it, so that it is not restarted; returns its process."""
        assert self._process is not None
        assert self._supervising is not None
        self._supervising.cancel()
        process, self._process = self._process, None
        return process

    async def _supervise(self) -> None:
        while True:
            await asyncio.sleep(RESTARTED_AFTER_S)
            assert self._process is not None
            if self._process.poll() is not None:
                self._records.counts["instances that ended by themselves"] += 1
                self._spawn()

    async def readiness(self) -> int | None:
        """The status of /health/ready; None without an answer."""
        try:
            async with (
                aiohttp.ClientSession() as http,
                http.get(f"{self.url}/health/ready") as answer,
            ):
                return answer.status
        except aiohttp.ClientError:
            return None

    async def _is_ready(self) -> bool:
        return await self.readiness() == 200


class Site:
    """One setup: an instance on SQLite, or several on PostgreSQL and Redis."""

    def __init__(
        self,
        folder: Path,
        instances: int,
        records: Records,
        cluster: Cluster | None = None,
        redis: RedisServer | None = None,
        **settings: str,
    ) -> None:
        settings = SETTINGS | settings
        self.cluster = cluster
        self.redis = redis
        self.database_url = (
            cluster.create("chaos") if cluster else f"sqlite:///{folder / 'data' / 'parley.db'}"
        )
        environ = environ_of(folder / "data", self.database_url, **settings)
        if redis is not None:
            environ["PARLEY_REDIS_URL"] = redis.url
        self.settings: Settings = settings_of(folder / "data", self.database_url, **settings)
        self.instances = [
            Instance(f"instance {number}", environ, folder, records) for number in range(instances)
        ]

    @property
    def wires(self) -> list[Wire]:
        return [instance.wire for instance in self.instances]

    async def start(self) -> None:
        for instance in self.instances:
            await instance.open_wires()
            instance.start()
        await self.until_ready()

    async def until_ready(self) -> None:
        await asyncio.gather(*(instance.until_ready() for instance in self.instances))

    async def held(self) -> dict[str, float]:
        """The gauges of all instances together, and the subscriptions in Redis."""
        held = {
            f"{instance.name} {name.removeprefix('parley_')}": value
            for instance in self.instances
            for name, value in (await instance.held()).items()
        }
        if self.redis is not None:
            held["channels in Redis"] = len(await self.redis.client.pubsub_channels())
        return held

    async def close(self) -> None:
        for instance in self.instances:
            await instance.close()


@asynccontextmanager
async def running_site(
    on: str, instances: int, folder: Path, records: Records, **settings: str
) -> AsyncIterator[Site]:
    """The parts of `sqlite` or `several`; only the database and Redis are started."""
    several = on == "several"
    # Database sessions of lost machines stay open, so more connections are needed.
    with running_cluster(max_connections="400") if several else nullcontext() as cluster:
        async with running_redis() if several else _nothing() as redis:
            site = Site(folder, instances, records, cluster, redis, **settings)
            try:
                yield site
            finally:
                await site.close()


@asynccontextmanager
async def _nothing() -> AsyncIterator[None]:
    yield None
