"""SQLite's readers: read-only connections, each with a thread, which serve one read at a time.

Invariants:
- A read waits a bounded time for its turn and runs a bounded time; a longer one is interrupted and
  refused. SQLite can interrupt a statement, but not Python code between statements.
- A reader serves the next read only after its thread has finished the previous one, so that an
  interruption cannot hit another read.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import TypeVar

from storage.engine.database import Kind, StorageUnavailable
from storage.engine.threads import Threaded
from storage.engine.waiting import Turns, Waits

T = TypeVar("T")

READERS = 2
OTHERS_MAX = 1
WAIT_MAX_S = 5.0
READ_MAX_S = 5.0
INTERRUPT_EVERY_S = 0.1


class TookTooLong(StorageUnavailable):
    """The read exceeded its time limit."""


class Readers:
    """The readers of one database file."""

    def __init__(self, waits: Waits) -> None:
        self._turns = Turns(waits, READERS, OTHERS_MAX, OTHERS_MAX, WAIT_MAX_S)
        self._free: asyncio.Queue[Threaded] = asyncio.Queue(READERS)
        self._open: list[Threaded] = []
        self._ending: set[asyncio.Task[None]] = set()

    async def start(self, connect: Callable[[], sqlite3.Connection]) -> None:
        for _ in range(READERS):
            reader = Threaded(connect)
            await reader.open()
            self._open.append(reader)
            self._free.put_nowait(reader)

    async def stop(self) -> None:
        """Close the readers after their current reads."""
        for _ in range(len(self._open)):
            reader = await self._free.get()
            await reader.close()
        self._open.clear()

    async def run(self, read: Callable[[sqlite3.Connection], T], kind: Kind) -> T:
        """Run `read` on a reader; raises StorageUnavailable if the wait or the read is too long."""
        async with self._turns.turn(kind):
            reader = await self._next_free()
            cap = asyncio.timeout(READ_MAX_S)
            try:
                async with cap:
                    value = await reader.in_thread(read)
            except BaseException as error:
                self._return_reader(reader, busy=cap.expired() or _is_cancelled(error))
                if cap.expired() and isinstance(error, TimeoutError):
                    raise TookTooLong("a read took too long") from None
                raise
            self._return_reader(reader, busy=False)
            return value

    async def _next_free(self) -> Threaded:
        if not self._free.empty():
            return self._free.get_nowait()
        try:
            async with asyncio.timeout(WAIT_MAX_S):
                return await self._free.get()
        except TimeoutError:  # interrupted reads still occupy the threads
            raise StorageUnavailable("no reader was free in time") from None

    def _return_reader(self, reader: Threaded, *, busy: bool) -> None:
        if not busy:
            self._free.put_nowait(reader)
            return
        ending = asyncio.create_task(self._end_read(reader))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def _end_read(self, reader: Threaded) -> None:
        """Interrupt the read until the thread is free, then make the reader available again."""
        idle = asyncio.ensure_future(reader.in_thread(lambda connection: None))
        while not idle.done():
            reader.connection.interrupt()
            await asyncio.wait({idle}, timeout=INTERRUPT_EVERY_S)
        self._free.put_nowait(reader)


def _is_cancelled(error: BaseException) -> bool:
    """Whether the caller was cancelled, so that the thread may still be reading."""
    return isinstance(error, asyncio.CancelledError)
