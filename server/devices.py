"""Limits the connections of a user across all instances.

Invariants:
- A user's counts are one hash in Redis with a field for each instance. An instance always sets its
  field to its current count and never increments it. So a late or repeated write is harmless.
- A new connection is written before the counts are read. Of two that arrive at the same time on
  different instances, at least one sees both. The cap may then refuse one connection too many, but
  never admits one too many.
- Counts of dead instances, which no longer renew their heartbeat in the database, are ignored.
- Counts that could not be written while Redis was unavailable are written when it returns. Every
  ten minutes all counts are written again, in case Redis lost them.
- While Redis is unavailable, each instance applies the cap to its own connections. It closes none.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import structlog

from handlers.kit.kernel import Kernel
from rooms.tasks import Tasks
from server.people import People
from storage.engine.database import StorageUnavailable

if TYPE_CHECKING:
    from rooms.redis_client import RedisClient

log = structlog.get_logger("devices")

PREFIX = "parley:devices:"
KEPT_S = 3_600
WRITE_EVERY_S = 1.0
WRITE_ALL_EVERY_S = 600.0
WRITE_BATCH_MAX = 1_000
UNWRITTEN_MAX = 100_000

ListOthers = Callable[[], Awaitable[list[str]]]


class Devices:
    """Enforces the cap on the connections of each user."""

    def __init__(
        self,
        kernel: Kernel,
        people: People,
        cap: int,
        redis: "RedisClient | None",
        others: ListOthers,
    ) -> None:
        self._kernel = kernel
        self._people = people
        self._cap = cap
        self._redis = redis
        self._list_others = others
        self._coming: Counter[str] = Counter()
        self._unwritten: dict[str, None] = {}
        self._tasks = Tasks()

    async def start(self) -> None:
        if self._redis is not None:
            self._tasks.spawn(self._keep_writing(self._redis))

    async def stop(self) -> None:
        await self._tasks.end()

    async def admits(self, user_id: str) -> bool:
        """Whether one more connection of this user is within the cap."""
        self._coming[user_id] += 1
        here = self._people.count(user_id) + self._coming[user_id]
        try:
            return here <= self._cap and await self._admits(user_id, here)
        except BaseException:
            self.changed(user_id)
            raise
        finally:
            self._coming[user_id] -= 1
            if not self._coming[user_id]:
                del self._coming[user_id]

    def changed(self, user_id: str) -> None:
        """Note that a connection of this user ended or was not admitted."""
        if self._redis is not None and len(self._unwritten) < UNWRITTEN_MAX:
            self._unwritten[user_id] = None

    async def _admits(self, user_id: str, here: int) -> bool:
        if self._redis is None:
            return True
        key = PREFIX + user_id
        answers = await self._redis.ask(
            key,
            ("HSET", key, self._kernel.instance_id, here),
            ("EXPIRE", key, KEPT_S),
            ("HGETALL", key),
        )
        if answers is None:
            self.changed(user_id)
            return True
        counts = answers[-1]
        if sum(map(int, counts.values())) <= self._cap:
            return True
        living = await self._list_living()
        if living is None or sum(int(n) for i, n in counts.items() if i in living) <= self._cap:
            return True
        self.changed(user_id)
        return False

    async def _list_living(self) -> set[bytes] | None:
        try:
            living = [self._kernel.instance_id, *await self._list_others()]
        except StorageUnavailable:
            return None
        return {instance.encode() for instance in living}

    async def _keep_writing(self, redis: "RedisClient") -> None:
        rounds = 0
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            rounds += 1
            if rounds * WRITE_EVERY_S >= WRITE_ALL_EVERY_S:
                rounds = 0
                for user_id in self._people:
                    self.changed(user_id)
            for user_id in list(self._unwritten)[:WRITE_BATCH_MAX]:
                if not await self._write(redis, user_id):
                    break

    async def _write(self, redis: "RedisClient", user_id: str) -> bool:
        """Write the current count; returns False if Redis is unavailable."""
        key, own = PREFIX + user_id, self._kernel.instance_id
        self._unwritten.pop(user_id, None)  # first, so that a later change is written again
        here = self._people.count(user_id) + self._coming[user_id]
        change = ("HSET", key, own, here) if here else ("HDEL", key, own)
        if await redis.ask(key, change, ("EXPIRE", key, KEPT_S)) is None:
            self.changed(user_id)
            return False
        return True
