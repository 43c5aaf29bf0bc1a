"""A Redis client with short time limits: `tell` is best effort, `ask` may return nothing.

Invariants:
- One bounded queue and one worker send all commands in order, in batches.
- An attempt fails after 250 ms. After a failure the client pauses for one to two seconds: meanwhile
  `tell` drops its commands, and `ask` returns None at once.
- `ask` returns an answer or None within the time of two attempts, and waits for nothing else. It
  returns None at once unless the worker runs, because nothing else would answer.
- No connection is left open, because uvloop waits for ever to close a loop that has one.
"""

import asyncio
import random
import time
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
PAUSE_S = (1.0, 2.0)
PUBLISH = "PUBLISH"
FAILURES = (RedisError, OSError, TimeoutError)


class Request(NamedTuple):
    """Commands about one key (or channel), and the future that waits for their answers, if any."""

    key: str
    commands: tuple[tuple[Any, ...], ...]
    answer: asyncio.Future[list[Any] | None] | None


class RedisClient:
    """One connection to Redis, which need not be available."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: asyncio.Queue[Request] = asyncio.Queue(QUEUE_MAX)
        self._running = False
        self._paused_until = 0.0
        self._shards: Shards | None = None
        self._tasks = Tasks()

    @property
    def open(self) -> bool:
        """Whether commands are accepted now."""
        paused = time.monotonic() < self._paused_until
        return self._running and not paused and not self._waiting.full()

    async def start(self) -> None:
        self._running = True
        self._tasks.spawn(self._send_batches())

    async def stop(self) -> None:
        self._running = False
        await self._tasks.end()
        self._drop_all()
        await self._close_shards()

    def tell(self, key: str, *command: Any) -> None:
        """Send a command if the client accepts commands; otherwise drop it."""
        if self.open:
            self._waiting.put_nowait(Request(key, (command,), None))

    def publish(self, channel: str, message: bytes) -> None:
        """Publish `message` in a channel, sharded if the server supports that."""
        self.tell(channel, PUBLISH, channel, message)

    async def ask(self, key: str, *commands: tuple[Any, ...]) -> list[Any] | None:
        """The answers to `commands`, which concern `key`; None if Redis does not answer in time."""
        if not self.open:
            return None
        answer: asyncio.Future[list[Any] | None] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait(Request(key, commands, answer))
        return await answer

    async def _send_batches(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            while not self._waiting.empty() and len(batch) < BATCH_MAX:
                batch.append(self._waiting.get_nowait())
            try:
                async with asyncio.timeout(ANSWERED_WITHIN_S):
                    await self._send(batch)
            except Exception as raised:  # whatever failed, the worker must go on
                log.warning("redis_not_reached", error=type(raised).__name__)
                await self._pause()
            finally:
                for request in batch:
                    resolve(request, None)

    async def _send(self, batch: list[Request]) -> None:
        if self._shards is None:
            self._shards = await find_shards(self._url, ANSWERED_WITHIN_S)
        shares: dict[Redis, list[Request]] = {}
        for request in batch:
            shares.setdefault(self._shards.of(request.key), []).append(request)
        publish = "SPUBLISH" if self._shards.sharded else PUBLISH
        sending = (_send_to(node, publish, some) for node, some in shares.items())
        # All have ended before one failure closes the connections, which they would open again.
        for failure in filter(None, await asyncio.gather(*sending, return_exceptions=True)):
            raise failure

    async def _pause(self) -> None:
        """Pause: while Redis is away, each attempt would take its full time limit."""
        self._paused_until = time.monotonic() + random.uniform(*PAUSE_S)  # noqa: S311
        self._drop_all()
        await self._close_shards()

    def _drop_all(self) -> None:
        while not self._waiting.empty():
            resolve(self._waiting.get_nowait(), None)

    async def _close_shards(self) -> None:
        """Close the connections. The next attempt asks again which server has which slots."""
        shards, self._shards = self._shards, None
        if shards is not None:
            await shards.close()


async def _send_to(node: Redis, publish: str, some: list[Request]) -> None:
    pipe = node.pipeline(transaction=False)
    for request in some:
        for name, *arguments in request.commands:
            pipe.execute_command(publish if name == PUBLISH else name, *arguments)
    answers = iter(await pipe.execute())
    for request in some:
        resolve(request, [next(answers) for _ in request.commands])


def resolve(request: Request, answer: list[Any] | None) -> None:
    if request.answer is not None and not request.answer.done():
        request.answer.set_result(answer)
