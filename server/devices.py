"""How many connections a person has, on all instances together.

Invariants:
- A person's counts are one hash in Redis: a field for each instance, always set to what that
  instance counts at that moment, never added to. So writing it again, late or twice, is harmless.
- Who comes in is written first and counted then; of two who come in at the same time on different
  instances at least one sees both. The cap may refuse one too many in that moment, never admit one.
- An instance's counts are worth what the instance is: those of one that does not live any more (it
  does not confirm itself in the database) do not count.
- What could not be written while Redis was away is written when it is back, and all counts are
  written again every few minutes, so that a Redis that lost them knows them again.
- While Redis is away each instance keeps the cap by itself, and throws nobody out.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import structlog

from handlers.kit.kernel import Kernel
from rooms.tasks import Tasks
from server.session import People
from storage.engine.database import StorageUnavailable

if TYPE_CHECKING:
    from rooms.redis_client import RedisClient

log = structlog.get_logger("devices")

PREFIX = "parley:devices:"
KEPT_S = 3_600
WRITE_EVERY_S = 1.0
WRITE_ALL_EVERY_S = 600.0
WRITE_AT_ONCE = 1_000
UNWRITTEN_MAX = 100_000

ListOthers = Callable[[], Awaitable[list[str]]]


class Devices:
    """Keeps the cap on connections of one person."""

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
        """Whether one more connection of this person is within the cap."""
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
        """A connection of this person ended, or did not come about."""
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
            for user_id in list(self._unwritten)[:WRITE_AT_ONCE]:
                if not await self._write(redis, user_id):
                    break

    async def _write(self, redis: "RedisClient", user_id: str) -> bool:
        """Write what is so now; False when Redis is away."""
        key, own = PREFIX + user_id, self._kernel.instance_id
        self._unwritten.pop(user_id, None)  # whatever changes from here on is written again
        here = self._people.count(user_id) + self._coming[user_id]
        change = ("HSET", key, own, here) if here else ("HDEL", key, own)
        if await redis.ask(key, change, ("EXPIRE", key, KEPT_S)) is None:
            self.changed(user_id)
            return False
        return True
