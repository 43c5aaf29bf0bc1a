"""Schedules jobs for the confined process, and maps their outcomes to results and refusals.

Invariants:
- There is one process and one job at a time, so one process's limit bounds the memory. Users take
  turns, so a job waits for at most one job of each other user.
- Only a reader that needs threads runs in a process that may start them. Such a process replaces
  the usual one, and is replaced by it.
- Time in the process is charged to the user, so that no user keeps it busy for long.
- A job that fails, is cancelled or takes too much ends the process, but no other job: the next job
  gets a new process.
- A file is refused only for its own effect: it crashes its reader, or takes too much memory or CPU
  time. If the process is killed, or starved by a busy machine, the file can be tried again.
- Neither content nor output of the process, other than its result, is logged.
"""

import asyncio
import signal
from collections.abc import Callable
from time import monotonic
from typing import Any, TypeVar, get_type_hints

import msgspec
import structlog

from handlers.kit.errors import RateLimited, Unavailable
from handlers.kit.sandbox import THREADED, Streamed, Unreadable
from handlers.kit.turns import Turns
from rooms.tasks import Tasks
from server.limits import Limits
from server.sandbox.child import KILLED, Child, Ended, TooSlow
from server.sandbox.wire import Answer, Job
from server.telemetry import Metrics

log = structlog.get_logger("sandbox")
R = TypeVar("R")

RATE = "decoding"
"""The rate of a user's seconds in the process."""
LINE_MAX = 32
"""Maximum waiting jobs of one user, who may have 20 uploads in progress by default."""
WAITING_MAX = 500
WAIT_S = 15.0
"""Together with the time of a job, as long as a proxy waits for an answer."""
JOBS_MAX = 500
RESIDENT_MAX = 96 * 1024**2
"""Maximum bytes that a process may keep between jobs; a new one has about 25 MiB."""
RETRY_AFTER_S = 2.0
REASON_MAX = 200
TOO_LONG, TOO_MUCH = "takes too long to decode", "needs too much memory to decode"
BREAKS = "crashes the decoder"


class Sandbox:
    """The sandbox of one instance; its process starts with the first job."""

    def __init__(
        self, metrics: Metrics, readers: tuple[str, ...], limits: Limits | None = None
    ) -> None:
        self._metrics = metrics
        self._limits = limits
        self._readers = readers
        self._turns = Turns(1, line_max=LINE_MAX, waiting_max=WAITING_MAX, wait_s=WAIT_S)
        self._child: Child | None = None
        self._starting: asyncio.Task[Child] | None = None
        self._stopped = False
        self._tasks = Tasks()
        metrics.sandbox_waiting.set_function(lambda: self._turns.waiting)

    @property
    def pid(self) -> int | None:
        """The id of the running process, if there is one."""
        return self._child.pid if self._child else None

    async def run(
        self, person_id: str, read: Callable[..., R], content: bytes | Streamed, *args: Any
    ) -> R:
        """See `handlers.kit.sandbox.Sandbox`."""
        assert read.__module__ in self._readers, f"the sandbox has no {read.__module__}"
        job = Job(read.__module__, read.__name__, list(args))
        threads = f"{job.module}.{job.function}" in THREADED
        kind = get_type_hints(read)["return"]
        self._check_time(person_id)
        async with self._turns.turn(person_id):
            began = monotonic()
            try:
                result: R = await self._do(job, content, kind, threads)
            finally:
                self._charge_time(person_id, monotonic() - began)
        return result

    def _check_time(self, person_id: str) -> None:
        """Raises RateLimited if the user's recent jobs took too long."""
        wait_s = self._limits.wait_of(RATE, person_id) if self._limits else 0.0
        if wait_s:
            raise RateLimited(retry_after_s=wait_s)

    def _charge_time(self, person_id: str, seconds: float) -> None:
        if self._limits:
            self._limits.charge(RATE, person_id, seconds)

    async def stop(self) -> None:
        """End the process with its current job."""
        self._stopped = True
        await self._tasks.wait()
        await self._renew("stopped")

    async def _do(self, job: Job, content: bytes | Streamed, kind: Any, threads: bool) -> Any:
        child = await self._ready(threads)
        outcome = "broken_off"
        try:
            answer = await child.ask(job, content)
            outcome = answer.outcome
            return _result_of(answer, kind)
        except TooSlow:
            outcome = "starved"
            raise Unavailable(retry_after_s=RETRY_AFTER_S) from None
        except msgspec.DecodeError:  # not a result that a reader returns
            outcome = "crashed"
            raise Unreadable(BREAKS) from None
        except Ended as ended:
            outcome = _outcome_of(ended)
            raise _failure_of(outcome) from None
        finally:
            self._metrics.sandbox_jobs.labels(job.function, outcome).inc()
            await asyncio.shield(self._tasks.spawn(self._look_after(job, child, outcome)))

    async def _ready(self, threads: bool) -> Child:
        """The process; raises Unavailable. If a job is cancelled, the start it began continues."""
        if self._starting is not None:
            await asyncio.shield(self._starting)
        if self._child is not None and self._child.threads != threads:
            await self._renew("threads")
        if self._child is not None:
            return self._child
        self._starting = self._tasks.spawn(self._start(threads))
        return await asyncio.shield(self._starting)

    async def _start(self, threads: bool) -> Child:
        """Start a process; raises Unavailable."""
        if self._stopped:
            raise Unavailable
        try:
            child = self._child = await Child.start(self._readers, threads)
        except (OSError, TimeoutError, Ended) as error:
            log.error("sandbox_does_not_start", error=type(error).__name__)
            raise Unavailable(retry_after_s=RETRY_AFTER_S) from None
        finally:
            self._starting = None
        if child.missing:
            log.warning("sandbox_less_confined", missing=child.missing)
        return child

    async def _look_after(self, job: Job, child: Child, outcome: str) -> None:
        """End the process if it failed, is too old or too large; the next job starts another."""
        if outcome not in ("done", "refused"):
            log.warning("reader_killed", reader=job.function, why=outcome, pid=child.pid)
            await self._renew(outcome)
        elif child.jobs >= JOBS_MAX:
            await self._renew("age")
        elif child.resident() > RESIDENT_MAX:
            await self._renew("size")

    async def _renew(self, why: str) -> None:
        child, self._child = self._child, None
        if child is not None:
            self._metrics.sandbox_ended.labels(why).inc()
            await child.end()


def _result_of(answer: Answer, kind: Any) -> Any:
    """The result of an answer; raises Unreadable and DecodeError."""
    if answer.outcome == "done":
        return msgspec.msgpack.decode(answer.result, type=kind)
    if answer.outcome == "refused":
        raise Unreadable(answer.reason[:REASON_MAX])
    raise Unreadable(TOO_MUCH if answer.outcome == "memory" else BREAKS)


def _outcome_of(ended: Ended) -> str:
    if ended.signal == signal.SIGXCPU:
        return "time"
    return "killed" if ended.signal in KILLED else "crashed"


def _failure_of(outcome: str) -> Exception:
    if outcome == "killed":
        return Unavailable(retry_after_s=RETRY_AFTER_S)
    return Unreadable(TOO_LONG if outcome == "time" else BREAKS)
