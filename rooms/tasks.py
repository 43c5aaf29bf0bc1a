"""Tasks that live as long as their owner."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

CANCEL_AGAIN_S = 2.0
"""How long a cancelled task may take to end before it is cancelled again.

A library may lose a cancellation: `asyncio.wait_for` when the work ends at the same moment, and
`asyncio.TaskGroup` when one of its tasks fails at the same moment.
"""
T = TypeVar("T")


class Tasks:
    """The tasks of one owner: saved from garbage collection, and ended with their owner."""

    __slots__ = ("_running",)

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def wait(self, within_s: float | None = None) -> None:
        """Wait for the tasks that run now, for at most `within_s` seconds."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=within_s)

    async def end(self) -> None:
        """Cancel all tasks, again if necessary, and wait until they have ended."""
        left = set(self._running)
        while left:
            for task in left:
                task.cancel()
            ended, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_S)
            for task in ended:  # a failed task has been reported by now, or nobody waits for it
                _ = task.cancelled() or task.exception()
