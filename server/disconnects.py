"""Connections that are over leave a few at a time: thousands may go in the same moment."""

import asyncio
from collections import deque
from typing import Protocol

import structlog

from server.logs import where

log = structlog.get_logger("departures")

AT_ONCE = 50
"""So many leave in one round of the loop, which takes some milliseconds."""


class Leaving(Protocol):
    async def leave(self) -> None:
        """Leave everything, without waiting for anything."""


class Disconnects:
    """Who is to leave; one an instance. There are never more of them than connections."""

    def __init__(self) -> None:
        self._leaving: deque[Leaving] = deque()
        self._seeing_off: asyncio.Task[None] | None = None

    def add(self, leaving: Leaving) -> None:
        self._leaving.append(leaving)
        if self._seeing_off is None:
            self._seeing_off = asyncio.get_running_loop().create_task(self._see_off())

    async def _see_off(self) -> None:
        while self._leaving:
            for _ in range(min(AT_ONCE, len(self._leaving))):
                await self._let_go(self._leaving.popleft())
            await asyncio.sleep(0)  # others have their turn
        self._seeing_off = None

    async def _let_go(self, leaving: Leaving) -> None:
        """Whatever is odd with one, the others leave too."""
        try:
            await leaving.leave()
        except Exception as raised:
            log.error("departure_failed", error=type(raised).__name__, where=where(raised))
