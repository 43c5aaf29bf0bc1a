"""A line to Redis on which nothing waits long: what is told is best effort, what is asked may fail.

Invariants:
- One bounded queue and one worker: what is told and asked leaves in order, many at a time.
- An attempt that takes over 250 ms has failed. After a failure the line is shut for a second or
  two: what is told meanwhile is dropped, what is asked is answered with None at once.
- An asker gets an answer or None within two attempts' time, and waits for nothing else.
"""

import asyncio
import random
import time
from contextlib import suppress
from typing import Any, NamedTuple

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from rooms.redis_shards import Shards, find_shards
from rooms.tasks import Tasks

log = structlog.get_logger("redis")

QUEUE_MAX = 10_000
BATCH_MAX = 100
ANSWERED_WITHIN_S = 0.25
SHUT_FOR_S = (1.0, 2.0)
PUBLISH = "PUBLISH"
FAILURES = (RedisError, OSError, TimeoutError)


class Said(NamedTuple):
    """Commands about one key (or channel), and who waits for their answers."""

    key: str
    commands: tuple[tuple[Any, ...], ...]
    answer: asyncio.Future[list[Any] | None] | None


class RedisClient:
    """One way to Redis, with its own connection; it need not be there."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: asyncio.Queue[Said] = asyncio.Queue(QUEUE_MAX)
        self._shut_until = 0.0
        self._shards: Shards | None = None
        self._tasks = Tasks()

    @property
    def open(self) -> bool:
        """Whether it is worth while to say anything now."""
        return time.monotonic() >= self._shut_until and not self._waiting.full()

    async def start(self) -> None:
        self._tasks.spawn(self._keep_saying())

    async def stop(self) -> None:
        await self._tasks.end()
        self._drop_all()
        await self._hang_up()

    def tell(self, key: str, *command: Any) -> None:
        """Say it if that is possible."""
        if self.open:
            self._waiting.put_nowait(Said(key, (command,), None))

    def publish(self, channel: str, message: bytes) -> None:
        """Say `message` in a channel, sharded where that is offered."""
        self.tell(channel, PUBLISH, channel, message)

    async def ask(self, key: str, *commands: tuple[Any, ...]) -> list[Any] | None:
        """The answers to `commands`, which are about `key`; None when they cannot be had now."""
        if not self.open:
            return None
        answer: asyncio.Future[list[Any] | None] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait(Said(key, commands, answer))
        return await answer

    async def _keep_saying(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            while not self._waiting.empty() and len(batch) < BATCH_MAX:
                batch.append(self._waiting.get_nowait())
            try:
                async with asyncio.timeout(ANSWERED_WITHIN_S):
                    await self._say(batch)
            except Exception as raised:  # whatever it is, the next one is asked and answered
                log.warning("redis_not_reached", error=type(raised).__name__)
                await self._shut()
            finally:
                for said in batch:
                    settle(said, None)

    async def _say(self, batch: list[Said]) -> None:
        if self._shards is None:
            self._shards = await find_shards(self._url, ANSWERED_WITHIN_S)
        shares: dict[Redis, list[Said]] = {}
        for said in batch:
            shares.setdefault(self._shards.of(said.key), []).append(said)
        publish = "SPUBLISH" if self._shards.sharded else PUBLISH
        await asyncio.gather(*(_say_to(node, publish, some) for node, some in shares.items()))

    async def _shut(self) -> None:
        """Say nothing for a while: each attempt would cost its whole time."""
        self._shut_until = time.monotonic() + random.uniform(*SHUT_FOR_S)  # noqa: S311
        self._drop_all()
        await self._hang_up()

    def _drop_all(self) -> None:
        while not self._waiting.empty():
            settle(self._waiting.get_nowait(), None)

    async def _hang_up(self) -> None:
        """The next attempt looks anew for who keeps what."""
        shards, self._shards = self._shards, None
        if shards is not None:
            with suppress(*FAILURES):
                await shards.close()


async def _say_to(node: Redis, publish: str, some: list[Said]) -> None:
    pipe = node.pipeline(transaction=False)
    for said in some:
        for name, *arguments in said.commands:
            pipe.execute_command(publish if name == PUBLISH else name, *arguments)
    answers = iter(await pipe.execute())
    for said in some:
        settle(said, [next(answers) for _ in said.commands])


def settle(said: Said, answer: list[Any] | None) -> None:
    if said.answer is not None and not said.answer.done():
        said.answer.set_result(answer)
