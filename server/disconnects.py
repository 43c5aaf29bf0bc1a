"""Cleans up after closed connections, a few at a time: thousands may close at once."""

import asyncio
from collections import deque
from typing import Protocol

import structlog

from server.logs import where

log = structlog.get_logger("departures")

BATCH_SIZE = 50
"""The number of connections to clean up in one round of the loop; takes some milliseconds."""


class Leaving(Protocol):
    async def leave(self) -> None:
        """Leave all namespaces and rooms, without waiting for anything."""


class Disconnects:
    """The queue of closed connections of one instance, never longer than the connections."""

    def __init__(self) -> None:
        self._leaving: deque[Leaving] = deque()
        self._task: asyncio.Task[None] | None = None

    def add(self, leaving: Leaving) -> None:
        self._leaving.append(leaving)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._leave_all())

    async def _leave_all(self) -> None:
        while self._leaving:
            for _ in range(min(BATCH_SIZE, len(self._leaving))):
                await self._leave(self._leaving.popleft())
            await asyncio.sleep(0)  # let other tasks run
        self._task = None

    async def _leave(self, leaving: Leaving) -> None:
        """Log a failure, so that one connection does not stop the others."""
        try:
            await leaving.leave()
        except Exception as raised:
            log.error("departure_failed", error=type(raised).__name__, where=where(raised))
