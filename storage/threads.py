"""SQLite connections with a thread each."""

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, TypeVar

import aiosqlite

P = ParamSpec("P")
T = TypeVar("T")


class Threaded(aiosqlite.Connection):
    """A connection on whose own thread a plain function runs in one hop."""

    async def in_thread(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        run: Callable[..., Awaitable[T]] = self._execute
        return await run(work, self._conn, *args, **kwargs)
