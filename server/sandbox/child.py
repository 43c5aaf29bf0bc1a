"""The confined process as the server sees it: started, fed, asked, ended."""

import asyncio
import os
import resource
import signal
import sys
from pathlib import Path

import msgspec

from handlers.kit.sandbox import Streamed
from server.sandbox.wire import ANSWER_MAX, HEAD, LENGTH, Answer, Job, Ready
from server.sandbox.worker import ROOT

START_WITHIN_S = 20.0
FEED_WITHIN_S = 10.0
"""Content may come from S3; nobody else has a turn meanwhile."""
ANSWER_WITHIN_S = 15.0
"""Longer than its CPU time, which ends first unless the machine is busy."""
CPU_S_MAX = 8
"""Seconds of CPU for one job. The slowest pictures that are accepted take about 3."""
END_WITHIN_S = 5.0
PIECE = 262_144
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); from server.sandbox.worker import main; "
    "main(int(sys.argv[2]), sys.argv[3:])"
)
_STATM_RESIDENT = 1
_STAT_CPU = slice(11, 13)
"""In clock ticks, for itself and for the kernel on its behalf; counted from behind its name."""


class Ended(Exception):
    """The process is gone, or said what it must not say. `signal` ended it; 0 if none did."""

    def __init__(self, ended_by: int = 0) -> None:
        super().__init__(f"signal {ended_by}")
        self.signal = ended_by


class TooSlow(Exception):
    """A job has no answer in time, though it had CPU time left: the machine is busy."""


class Child:
    """One process; it does one job at a time, and after a failure must be ended."""

    def __init__(self, process: asyncio.subprocess.Process, missing: list[str]) -> None:
        self._process = process
        self.missing = missing
        """Confinements that this machine cannot enforce."""
        self.jobs = 0

    @classmethod
    async def start(cls, readers: tuple[str, ...]) -> "Child":
        """Raises OSError, TimeoutError or Ended when the process does not get ready."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-I", "-B", "-c", _BOOT, str(ROOT), str(os.getpid()), *readers),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd="/",
            env={},
        )
        child = cls(process, [])
        try:
            async with asyncio.timeout(START_WITHIN_S):
                ready = await child._hear()
            child.missing = msgspec.msgpack.decode(ready, type=Ready).missing
        except BaseException:
            await asyncio.shield(child.end())
            raise
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    def resident(self) -> int:
        """Its memory in bytes; 0 where /proc does not tell."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text().split()[_STATM_RESIDENT]
        except OSError:
            return 0
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    async def ask(self, job: Job, content: bytes | Streamed) -> Answer:
        """Have one job done; raises Ended, TooSlow, and TimeoutError for content that is too slow.

        And whatever the source of the content raises.
        """
        self.jobs += 1
        self._grant_cpu()
        async with asyncio.timeout(FEED_WITHIN_S):
            await self._feed(job, content)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                answer = await self._hear()
            return msgspec.msgpack.decode(answer, type=Answer)
        except TimeoutError:
            raise TooSlow from None
        except msgspec.DecodeError:
            raise Ended from None

    async def end(self) -> None:
        """End it, whatever it does, and wait until it is gone."""
        if self._process.returncode is None:
            self._process.kill()
        async with asyncio.timeout(END_WITHIN_S):
            await self._process.wait()

    def _grant_cpu(self) -> None:
        """Let it have the CPU time of one job; beyond it the kernel ends it (SIGXCPU)."""
        if sys.platform != "linux":
            return
        try:
            told = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
            used_s = sum(map(int, told[_STAT_CPU])) // os.sysconf("SC_CLK_TCK")
            limits = (used_s + 1 + CPU_S_MAX, resource.RLIM_INFINITY)
            resource.prlimit(self.pid, resource.RLIMIT_CPU, limits)
        except OSError:
            return  # it is gone, as feeding it will tell

    async def _feed(self, job: Job, content: bytes | Streamed) -> None:
        encoded = msgspec.msgpack.encode(job)
        if isinstance(content, bytes):
            await self._write(HEAD.pack(len(encoded), len(content)) + encoded)
            for at in range(0, len(content), PIECE):
                await self._write(content[at : at + PIECE])
            return
        await self._write(HEAD.pack(len(encoded), content.size) + encoded)
        async for chunk in content.chunks:
            await self._write(chunk)

    async def _write(self, piece: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(piece)
            await self._process.stdin.drain()
        except ConnectionError:
            raise Ended(await self._ended_by()) from None

    async def _hear(self) -> bytes:
        assert self._process.stdout is not None
        try:
            (size,) = LENGTH.unpack(await self._process.stdout.readexactly(LENGTH.size))
            if size > ANSWER_MAX:
                raise Ended
            return await self._process.stdout.readexactly(size)
        except asyncio.IncompleteReadError:
            raise Ended(await self._ended_by()) from None

    async def _ended_by(self) -> int:
        """The signal that ended it; it closed its pipes, so it is gone or about to go."""
        try:
            async with asyncio.timeout(END_WITHIN_S):
                return max(0, -await self._process.wait())
        except TimeoutError:
            return 0


KILLED = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that come from outside, and say nothing of the file that was being read."""
