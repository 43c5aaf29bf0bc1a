"""The rooms of several instances, joined by Redis: what one commits the others hear at once.

Invariants:
- Best effort. Nothing that waits for a commit or an answer waits for Redis, and nothing lost here
  is sent again: `rooms/gaps.py` finds it by number in the database, within a second.
- Publishing goes through one bounded queue and one connection of its own. An attempt that takes
  over 250 ms has failed; after a failure everything is dropped for a second or two.
- Reading has its own connection and its own loop. A lost connection is made anew after one to two
  seconds, and every stream with members here is subscribed again.
- Every few seconds this instance says something to itself. When it does not hear that, it is deaf
  whatever the connection looks like: not `well`, and the connection is made anew.
- One channel a stream, subscribed while the stream has members here. `subscribe` returns when
  Redis has confirmed it; while Redis is away it returns at once, and the database fills the gaps.
- What this instance published comes back to it too, and is told by its sender and left out.
"""

import asyncio
import random
import secrets
import time
from collections.abc import Awaitable
from typing import Any

import msgspec
import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from rooms.bus import Hears
from rooms.packets import Packet
from storage.events import Numbered

log = structlog.get_logger("bus")

PREFIX = "parley:"
QUEUE_MAX = 10_000
BATCH_MAX = 100
PUBLISH_WITHIN_S = 0.25
SHUT_FOR_S = (1.0, 2.0)
RECONNECT_AFTER_S = (1.0, 2.0)
SUBSCRIBED_WITHIN_S = 1.0
SUBSCRIBE_AT_ONCE = 1_000
ECHO_EVERY_S = 2.0
DEAF_AFTER_S = 7.0
READ_WITHIN_S = 1.0
FAILURES = (RedisError, OSError, TimeoutError)


class Told(msgspec.Struct, array_like=True, tag="event"):
    """An event, as one instance tells it to the others."""

    sender: str
    event: Numbered


class Whispered(msgspec.Struct, array_like=True, tag="whisper"):
    """A whisper, likewise."""

    sender: str
    stream: str
    packet: bytes


class Echo(msgspec.Struct, array_like=True, tag="echo"):
    """What an instance says to itself."""

    sender: str


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Told | Whispered | Echo).decode


class RedisBus:
    """One instance's connections to Redis; none is needed for it to start or to go on."""

    def __init__(self, url: str) -> None:
        self._me = secrets.token_hex(8)
        self._speaking: Redis = Redis.from_url(url, socket_connect_timeout=PUBLISH_WITHIN_S)
        self._listening: Redis = Redis.from_url(url, socket_connect_timeout=READ_WITHIN_S)
        self._outgoing: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(QUEUE_MAX)
        self._shut_until = 0.0
        self._streams: dict[str, asyncio.Future[None]] = {}
        """Those subscribed or to be, each with its confirmation."""
        self._pubsub: PubSub | None = None
        self._heard_at = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def well(self) -> bool:
        return time.monotonic() - self._heard_at < DEAF_AFTER_S

    async def start(self, rooms: Hears) -> None:
        self._rooms = rooms
        work = (self._keep_publishing(), self._keep_listening(), self._keep_echoing())
        self._tasks = [asyncio.create_task(one) for one in work]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._speaking.aclose()
        await self._listening.aclose()

    # Out.

    def publish(self, event: Numbered) -> None:
        self._say(event.stream, Told(self._me, event))

    def publish_whisper(self, stream: str, packet: bytes) -> None:
        self._say(stream, Whispered(self._me, stream, packet))

    def _say(self, stream: str, message: Told | Whispered | Echo) -> None:
        if time.monotonic() < self._shut_until or self._outgoing.full():
            return  # the others find it in the database
        self._outgoing.put_nowait((channel_of(stream), _encode(message)))

    async def _keep_publishing(self) -> None:
        while True:
            batch = [await self._outgoing.get()]
            while not self._outgoing.empty() and len(batch) < BATCH_MAX:
                batch.append(self._outgoing.get_nowait())
            try:
                async with asyncio.timeout(PUBLISH_WITHIN_S):
                    await self._publish(batch)
            except FAILURES as error:
                await self._shut(error)

    async def _publish(self, batch: list[tuple[str, bytes]]) -> None:
        pipe = self._speaking.pipeline(transaction=False)
        for channel, message in batch:
            pipe.publish(channel, message)
        await pipe.execute()

    async def _shut(self, error: BaseException) -> None:
        """Say nothing for a while: each attempt would cost its whole time."""
        log.warning("not_published", error=type(error).__name__)
        self._shut_until = time.monotonic() + random.uniform(*SHUT_FOR_S)  # noqa: S311
        while not self._outgoing.empty():
            self._outgoing.get_nowait()
        await self._speaking.connection_pool.disconnect()

    async def _keep_echoing(self) -> None:
        while True:
            self._say(self._me, Echo(self._me))
            await asyncio.sleep(ECHO_EVERY_S)

    # In.

    async def subscribe(self, stream: str) -> None:
        confirmed = self._streams[stream] = asyncio.get_running_loop().create_future()
        if self._pubsub is None:
            return  # with all others, at the next connection
        try:
            async with asyncio.timeout(SUBSCRIBED_WITHIN_S):
                await self._pubsub.subscribe(channel_of(stream))
                await asyncio.shield(confirmed)
        except FAILURES as error:
            log.warning("not_subscribed", error=type(error).__name__)

    def unsubscribe(self, stream: str) -> None:
        if self._streams.pop(stream, None) is not None and self._pubsub is not None:
            self._spawn(self._unsubscribe(self._pubsub, stream))

    async def _unsubscribe(self, pubsub: PubSub, stream: str) -> None:
        try:
            if stream not in self._streams:  # nobody came in meanwhile
                await pubsub.unsubscribe(channel_of(stream))
        except FAILURES as error:
            log.warning("not_unsubscribed", error=type(error).__name__)

    async def _keep_listening(self) -> None:
        while True:
            try:
                await self._listen()
            except FAILURES as error:
                log.warning("not_listening", error=type(error).__name__)
            self._pubsub = None
            await asyncio.sleep(random.uniform(*RECONNECT_AFTER_S))  # noqa: S311

    async def _listen(self) -> None:
        """Hear what comes by one connection until it fails; raises what it fails of."""
        async with self._listening.pubsub() as pubsub:
            await self._subscribe_all(pubsub)
            began = time.monotonic()
            while True:
                message = await pubsub.get_message(timeout=READ_WITHIN_S)
                if message is not None:
                    self._take(message)
                if time.monotonic() - max(self._heard_at, began) > DEAF_AFTER_S:
                    raise TimeoutError("this instance does not hear itself")

    async def _subscribe_all(self, pubsub: PubSub) -> None:
        """Everything that is wanted by now; what comes to be wanted from here on asks itself."""
        await pubsub.subscribe(channel_of(self._me))
        self._pubsub = pubsub
        names = list(self._streams)
        for start in range(0, len(names), SUBSCRIBE_AT_ONCE):
            some = names[start : start + SUBSCRIBE_AT_ONCE]
            await pubsub.subscribe(*(channel_of(name) for name in some))

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribe":
            confirmed = self._streams.get(message["channel"].decode().removeprefix(PREFIX))
            if confirmed is not None and not confirmed.done():
                confirmed.set_result(None)
        elif message["type"] == "message":
            self._hear(message["data"])

    def _hear(self, data: bytes) -> None:
        try:
            heard = _decode(data)
        except msgspec.MsgspecError as error:
            log.warning("not_understood", error=type(error).__name__)  # another release's
            return
        if isinstance(heard, Echo):
            self._heard_at = time.monotonic()
        elif heard.sender == self._me:
            return
        elif isinstance(heard, Told):
            self._rooms.arrived(heard.event)
        else:
            self._rooms.whispered(heard.stream, Packet(heard.packet, shed=True))

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.append(task)
        task.add_done_callback(self._tasks.remove)


def channel_of(stream: str) -> str:
    return PREFIX + stream
