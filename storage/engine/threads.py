"""SQLite connections with a thread each.

Invariants:
- Functions run on the connection's own thread, one after the other, in the order of the calls. If a
  caller is cancelled, its function still runs to its end, and the result is dropped.
- The queue stays short because its users bound it: a reader has one function at a time, the writer
  one batch and one checkpoint.
- After `close` nothing runs any more, and the thread ends. A process that exits without closing
  leaves the file as a crash would.

This uses the standard library alone. A `ThreadPoolExecutor` of one thread would do, but costs twice
as much for each call.
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
    """A connection on whose own thread a plain function runs in one hop."""

    connection: sqlite3.Connection

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = Thread(target=self._serve, name="sqlite", daemon=True)
        self._open = False

    async def open(self) -> None:
        """Connect; raises what `connect` raises, and leaves no thread then."""
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
        """What `work` returns; raises what it raises, and ValueError when it is not open."""
        if not self._open:
            raise ValueError("the connection is closed")
        return await self._run(partial(work, self.connection, *args, **kwargs))

    async def close(self) -> None:
        """Close the connection after what waits for it."""
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
        """On the thread: run what comes, until there is nothing more to come."""
        while (job := self._jobs.get()) is not None:
            run(*job)
            del job  # or what the last one returned would be kept until the next one


def run(future: asyncio.Future[Any], function: Callable[[], Any]) -> None:
    """On a thread: call `function` and tell `future` on its loop how that ended."""
    value: Any = None
    error: BaseException | None = None
    try:
        value = function()
    except StopIteration as raised:  # which no future takes
        error = RuntimeError("a work raised StopIteration")
        error.__cause__ = raised
    except BaseException as raised:  # whatever it is, it is the caller's
        error = raised
    with suppress(RuntimeError):  # the loop is closed: nobody waits
        future.get_loop().call_soon_threadsafe(settle, future, value, error)


def settle(future: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    if future.done():  # its caller was cancelled
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
