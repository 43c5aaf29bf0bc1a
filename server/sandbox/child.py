"""Controls the confined process: starts it, sends it jobs and ends it."""

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
"""Content may come from S3, and no other job runs meanwhile."""
ANSWER_WITHIN_S = 15.0
"""Longer than `CPU_S_MAX`, which ends a job first unless the machine is busy."""
CPU_S_MAX = 8
"""Seconds of CPU for one job. The slowest accepted pictures take about 3."""
END_WITHIN_S = 5.0
PIECE = 262_144
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); from server.sandbox.worker import main; "
    "main(int(sys.argv[2]), sys.argv[3] == 'threads', sys.argv[4:])"
)
_STATM_RESIDENT = 1
_STAT_CPU = slice(11, 13)
"""User and system CPU time in clock ticks; indices of the fields after the process name."""


class Ended(Exception):
    """The process has ended or sent an invalid answer; `signal` ended it, 0 if none did."""

    def __init__(self, ended_by: int = 0) -> None:
        super().__init__(f"signal {ended_by}")
        self.signal = ended_by


class TooSlow(Exception):
    """A job had CPU time left but gave no answer in time, because the machine is busy."""


class Child:
    """One process. It runs one job at a time, and must be ended after a failure."""

    def __init__(self, process: asyncio.subprocess.Process, threads: bool) -> None:
        self._process = process
        self.threads = threads
        """Whether it can start threads."""
        self.missing: list[str] = []
        """The confinements that this machine cannot enforce."""
        self.jobs = 0

    @classmethod
    async def start(cls, readers: tuple[str, ...], threads: bool) -> "Child":
        """Start a process; raises OSError, TimeoutError or Ended if it does not get ready."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-I", "-B", "-c", _BOOT, str(ROOT), str(os.getpid())),
            *("threads" if threads else "no threads", *readers),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd="/",
            env={},
        )
        child = cls(process, threads)
        try:
            async with asyncio.timeout(START_WITHIN_S):
                ready = await child._read()
            child.missing = msgspec.msgpack.decode(ready, type=Ready).missing
        except BaseException:
            await asyncio.shield(child.end())
            raise
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    def resident(self) -> int:
        """The resident memory in bytes; 0 if /proc does not have it."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text().split()[_STATM_RESIDENT]
        except OSError:
            return 0
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    async def ask(self, job: Job, content: bytes | Streamed) -> Answer:
        """Run one job; raises Ended, TooSlow, and TimeoutError if the content is too slow.

        Also raises the errors of the content's source.
        """
        self.jobs += 1
        self._grant_cpu()
        async with asyncio.timeout(FEED_WITHIN_S):
            await self._feed(job, content)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                answer = await self._read()
            return msgspec.msgpack.decode(answer, type=Answer)
        except TimeoutError:
            raise TooSlow from None
        except msgspec.DecodeError:
            raise Ended from None

    async def end(self) -> None:
        """Kill the process and wait until it is gone."""
        if self._process.returncode is None:
            self._process.kill()
        async with asyncio.timeout(END_WITHIN_S):
            await self._process.wait()

    def _grant_cpu(self) -> None:
        """Allow the CPU time of one job; beyond it, the operating system sends SIGXCPU."""
        if sys.platform != "linux":
            return
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
            used_s = sum(map(int, fields[_STAT_CPU])) // os.sysconf("SC_CLK_TCK")
            limits = (used_s + 1 + CPU_S_MAX, resource.RLIM_INFINITY)
            resource.prlimit(self.pid, resource.RLIMIT_CPU, limits)
        except OSError:
            return  # the process is gone, and writing to it will fail

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

    async def _read(self) -> bytes:
        assert self._process.stdout is not None
        try:
            (size,) = LENGTH.unpack(await self._process.stdout.readexactly(LENGTH.size))
            if size > ANSWER_MAX:
                raise Ended
            return await self._process.stdout.readexactly(size)
        except asyncio.IncompleteReadError:
            raise Ended(await self._ended_by()) from None

    async def _ended_by(self) -> int:
        """The signal that ended the process, which has closed its pipes and so is about to end."""
        try:
            async with asyncio.timeout(END_WITHIN_S):
                return max(0, -await self._process.wait())
        except TimeoutError:
            return 0


KILLED = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals from outside, which do not mean that the file is at fault."""
