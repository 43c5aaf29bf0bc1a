"""Compiles the load generator, runs it against a server and reads its results."""

import asyncio
import shutil
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path

import msgspec

from tests.bench.servers import Server

SOURCES = Path(__file__).parent / "sioload"
WARNINGS = ("-Wall", "-Wextra", "-Wconversion", "-Werror")
ENDS_WITHIN_S = 300.0


class LoadFailed(Exception):
    """The measurement is invalid, because a message was refused or did not arrive."""


class Latency(msgspec.Struct):
    """Percentiles in microseconds."""

    p50: int
    p95: int
    p99: int
    max: int
    count: int


class Connected(msgspec.Struct, tag_field="phase", tag="connected"):
    """All clients are in their rooms; `quiet_cpu_s` is the CPU time while they are idle."""

    clients: int
    dead: int
    refused: int
    seconds: float
    cpu_s: float
    rss_kb: int
    quiet_cpu_s: float

    @property
    def cpu_ms_each(self) -> float:
        return self.cpu_s * 1_000 / self.clients

    @property
    def rss_kb_each(self) -> float:
        return self.rss_kb / self.clients


class Sent(msgspec.Struct, tag_field="phase", tag="sent"):
    """All messages are sent and have arrived. The figures are those under full load."""

    seconds: float
    cpu_s: float
    acks: int
    deliveries: int
    sends_in_all: int
    acks_in_all: int
    missing: int
    """Deliveries that acknowledged sends did not cause."""
    errors: int
    gaps: int
    repeats: int
    dead: int
    ack_us: Latency | None = None
    delivery_us: Latency | None = None
    across_us: Latency | None = None
    """Latencies of deliveries by another instance than the sender's."""

    @property
    def cpu_us_per_ack(self) -> float:
        return self.cpu_s * 1e6 / self.acks

    @property
    def cpu_us_per_delivery(self) -> float:
        return self.cpu_s * 1e6 / self.deliveries


class Reconnected(msgspec.Struct, tag_field="phase", tag="back"):
    """The clients reconnected to a restarted server, `seconds` after the first lost connection.

    `behind` counts the clients that are not connected or lack messages of their room.
    """

    clients: int
    seconds: float
    refused: int
    behind: int
    unrecovered: int
    gaps: int
    repeats: int


Phase = Connected | Sent | Reconnected
_decode = msgspec.json.Decoder(Phase).decode


async def compile_generator(folder: Path) -> Path:
    """Compile the generator to a program in `folder`; raises LoadFailed without a compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise LoadFailed("a C compiler is missing: run sh scripts/bench")
    program = folder / "sioload"
    sources = map(str, SOURCES.glob("*.c"))
    command = [compiler, "-std=gnu11", "-O2", *WARNINGS, "-o", str(program), *sources]
    process = await asyncio.create_subprocess_exec(*command)
    if await process.wait() != 0:
        raise LoadFailed("sioload does not compile")
    return program


async def phases(program: Path, server: Server, *options: object) -> AsyncGenerator[Phase, None]:
    """Put `server` under load, and yield each phase when it ends; raises LoadFailed."""
    pids = [word for pid in server.pids for word in ("-P", str(pid))]
    ports = ",".join(map(str, server.ports))
    words = ["-p", ports, *pids, *server.options, *map(str, options)]
    process = await asyncio.create_subprocess_exec(program, *words, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(ENDS_WITHIN_S):
            async for line in process.stdout:
                yield checked(_decode(line))
            if await process.wait() != 0:
                raise LoadFailed(f"sioload ended with {process.returncode}")
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def checked(phase: Phase) -> Phase:
    """Return `phase` if nothing in it was lost or out of order; raises LoadFailed otherwise."""
    match phase:
        case Connected(dead=0, refused=0) | Reconnected(unrecovered=0, gaps=0, repeats=0):
            return phase
        case Sent(missing=0, errors=0, gaps=0, repeats=0, dead=0, acks=acks) if acks:
            return phase
    raise LoadFailed(f"not all went well: {phase}")


async def measure(program: Path, server: Server, *options: object) -> tuple[Connected, Sent]:
    """Connect the clients and send messages for a while."""
    connected, sent = [phase async for phase in phases(program, server, *options)]
    assert isinstance(connected, Connected)
    assert isinstance(sent, Sent)
    return connected, sent
