"""SQLite connections with a thread each.

Invariants:
- Functions run on the connection's own thread, one after the other, in the order of the calls. If a
  caller is cancelled, its function still runs to the end, and its result is discarded.
- The queue stays short because its users bound it: a reader has one function at a time, the writer
  one batch and one checkpoint.
- After `close` no function runs any more, and the thread ends. A process that exits without closing
  leaves the file as a crash would.

A `ThreadPoolExecutor` with one thread would work too, but each call would cost twice as much.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
Job = tuple[asyncio.Future[Any], Callable[[], Any]]


class Threaded:
    """A connection with its own thread, on which it runs plain functions."""

    connection: sqlite3.Connection

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = Thread(target=self._serve, name="sqlite", daemon=True)
        self._open = False

    async def open(self) -> None:
        """Connect; if `connect` raises, ends the thread and raises the same error."""
        self._thread.start()
        try:
            self.connection = await self._run(self._connect)
        except BaseException:
            self._jobs.put(None)
            raise
        self._open = True

    async def in_thread(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run `work(connection, …)` on the thread; raises its errors, or ValueError if not open."""
        if not self._open:
            raise ValueError("the connection is closed")
        return await self._run(partial(work, self.connection, *args, **kwargs))

    async def close(self) -> None:
        """Close the connection after all queued functions have run."""
        if self._open:
            self._open = False
            try:
                await self._run(self.connection.close)
            finally:
                self._jobs.put(None)

    async def _run(self, function: Callable[[], T]) -> T:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put((future, function))
        return await future

    def _serve(self) -> None:
        """On the thread: run jobs until None arrives."""
        while (job := self._jobs.get()) is not None:
            run(*job)
            del job  # otherwise the last result would stay in memory until the next job


def run(future: asyncio.Future[Any], function: Callable[[], Any]) -> None:
    """On a thread: call `function`, and set the outcome of `future` on its event loop."""
    value: Any = None
    error: BaseException | None = None
    try:
        value = function()
    except StopIteration as raised:  # a future does not accept it
        error = RuntimeError("a work raised StopIteration")
        error.__cause__ = raised
    except BaseException as raised:  # every error goes to the caller
        error = raised
    with suppress(RuntimeError):  # the loop is closed, so nobody waits
        future.get_loop().call_soon_threadsafe(set_outcome, future, value, error)


def set_outcome(future: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    if future.done():  # the caller was cancelled
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
