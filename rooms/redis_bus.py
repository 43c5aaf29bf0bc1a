"""Connects the rooms of several instances through Redis pub/sub.

Invariants:
- Best effort. No commit and no answer waits for Redis, and the bus never resends a lost message:
  `rooms/gaps.py` finds the event in the database, by sequence number, within a second.
- Publishing uses a connection of its own (`rooms/redis_client.py`), bounded in time and in queue
  length.
- Listening uses one connection to each Redis server. When one of these connections fails, or its
  server no longer serves the slot, the bus replaces all of them after one to two seconds and
  resubscribes every stream that has members here.
- Every two seconds this instance publishes an echo to itself through each server. If an echo does
  not return within seven seconds, the instance is not `well`, whatever the connection reports, and
  the bus reconnects.
- Each stream has one channel, subscribed while the stream has members here. `subscribe` returns
  once Redis has confirmed. While Redis is away it returns at once, and the database fills the gaps.
- Redis also delivers an instance's own messages back to it. The instance recognises them by the
  sender and ignores them.
"""

import asyncio
import itertools
import random
import secrets
import time
from collections import Counter
from typing import Any

import msgspec
import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from rooms.bus import BusListener
from rooms.packets import Packet
from rooms.redis_client import FAILURES, RedisClient
from rooms.redis_shards import Shards, find_shards
from rooms.tasks import Tasks
from storage.events.log import Numbered

log = structlog.get_logger("bus")

PREFIX = "parley:"
RECONNECT_AFTER_S = (1.0, 2.0)
SUBSCRIBED_WITHIN_S = 1.0
SUBSCRIBE_BATCH_MAX = 1_000
ECHO_EVERY_S = 2.0
DEAF_AFTER_S = 7.0
READ_WITHIN_S = 1.0


class EventMessage(msgspec.Struct, array_like=True, tag="event"):
    """A committed event, as one instance publishes it to the others."""

    sender: str
    event: Numbered


class EphemeralMessage(msgspec.Struct, array_like=True, tag="ephemeral"):
    """An ephemeral event, as one instance publishes it to the others."""

    sender: str
    stream: str
    packet: bytes
    hidden_from: list[str] = []


class Echo(msgspec.Struct, array_like=True, tag="echo"):
    """A message from an instance to itself, with the channel that carries it."""

    sender: str
    channel: str


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(EventMessage | EphemeralMessage | Echo).decode


class RedisSubscription:
    """The subscriptions on one Redis server."""

    def __init__(self, pubsub: PubSub, echo: str, *, sharded: bool) -> None:
        self.echo = echo
        """The channel on which this instance publishes its own echo."""
        self._leaving: Counter[bytes] = Counter()
        """Channels that we asked to leave, with the number of confirmations still to come."""
        self._pubsub = pubsub
        self._sharded = sharded

    async def subscribe(self, *channels: str) -> None:
        await (self._pubsub.ssubscribe if self._sharded else self._pubsub.subscribe)(*channels)

    async def unsubscribe(self, channel: str) -> None:
        self._leaving[channel.encode()] += 1
        await (self._pubsub.sunsubscribe if self._sharded else self._pubsub.unsubscribe)(channel)

    async def next(self) -> dict[str, Any] | None:
        """The next message; None if there is none within `READ_WITHIN_S`."""
        message: dict[str, Any] | None = await self._pubsub.get_message(timeout=READ_WITHIN_S)
        if message and message["type"] in ("unsubscribe", "sunsubscribe"):
            self._confirm(message["channel"])
        return message

    def _confirm(self, channel: bytes) -> None:
        """Count a confirmation that we left a channel; raises ConnectionError if we did not ask for
        it."""
        self._leaving[channel] -= 1
        if self._leaving[channel] < 0:
            raise ConnectionError("another server now has the channel")
        if not self._leaving[channel]:
            del self._leaving[channel]


class RedisBus:
    """One instance's connections to Redis. The instance starts and runs without them."""

    def __init__(self, url: str) -> None:
        self._me = secrets.token_hex(8)
        self._url = url
        self._redis = RedisClient(url)
        self._streams: dict[str, asyncio.Future[None]] = {}
        """The streams that are subscribed or will be, each with its confirmation."""
        self._shards: Shards | None = None
        self._subscriptions: dict[Redis, RedisSubscription] = {}
        """Empty while this instance does not listen."""
        self._heard_at: dict[str, float] = {}
        """When each echo last arrived, as `time.monotonic()`."""
        self._tasks = Tasks()

    @property
    def well(self) -> bool:
        echoes = [subscription.echo for subscription in self._subscriptions.values()]
        return bool(echoes) and all(self._is_recent(echo) for echo in echoes)

    def _is_recent(self, echo: str) -> bool:
        return time.monotonic() - self._heard_at.get(echo, -DEAF_AFTER_S) < DEAF_AFTER_S

    async def start(self, rooms: BusListener) -> None:
        self._rooms = rooms
        await self._redis.start()
        self._tasks.spawn(self._listen())
        self._tasks.spawn(self._send_echoes())

    async def stop(self) -> None:
        await self._tasks.end()
        await self._redis.stop()

    # Out.

    def publish(self, event: Numbered) -> None:
        self._publish(event.stream, EventMessage(self._me, event))

    def publish_ephemeral(self, stream: str, packet: Packet) -> None:
        hidden_from = list(packet.hidden_from)
        self._publish(stream, EphemeralMessage(self._me, stream, packet.text, hidden_from))

    def _publish(self, stream: str, message: EventMessage | EphemeralMessage) -> None:
        if self._redis.open:
            self._redis.publish(channel_of(stream), _encode(message))

    async def _send_echoes(self) -> None:
        while True:
            for subscription in self._subscriptions.values():
                self._send_echo(subscription.echo)
            await asyncio.sleep(ECHO_EVERY_S)

    def _send_echo(self, echo: str) -> None:
        if self._redis.open:
            self._redis.publish(echo, _encode(Echo(self._me, echo)))

    # In.

    async def subscribe(self, *streams: str) -> None:
        create_future = asyncio.get_running_loop().create_future
        confirmed = [create_future() for _ in streams]
        self._streams.update(zip(streams, confirmed, strict=True))
        if not self._subscriptions or self._shards is None:
            return  # the next connection subscribes all streams
        try:
            async with asyncio.timeout(SUBSCRIBED_WITHIN_S):
                await self._subscribe_all(list(streams), self._shards)
                await asyncio.wait(confirmed)
        except Exception as raised:  # a closing connection may raise anything
            log.warning("not_subscribed", error=type(raised).__name__)

    def unsubscribe(self, stream: str) -> None:
        if self._streams.pop(stream, None) is not None and self._subscriptions:
            self._tasks.spawn(self._unsubscribe(stream))

    async def _unsubscribe(self, stream: str) -> None:
        try:
            if self._subscriptions and stream not in self._streams:  # not rejoined since
                async with asyncio.timeout(SUBSCRIBED_WITHIN_S):
                    await self._subscription_of(stream).unsubscribe(channel_of(stream))
        except Exception as raised:
            log.warning("not_unsubscribed", error=type(raised).__name__)

    def _subscription_of(self, stream: str) -> RedisSubscription:
        assert self._shards is not None  # set before any subscription exists
        return self._subscriptions[self._shards.of(channel_of(stream))]

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except* FAILURES as errors:
                log.warning("not_listening", error=type(errors.exceptions[0]).__name__)
            await asyncio.sleep(random.uniform(*RECONNECT_AFTER_S))  # noqa: S311

    async def _listen_once(self) -> None:
        """Receive messages until a connection fails; raises the cause."""
        self._shards = await find_shards(self._url, READ_WITHIN_S)
        try:
            async with asyncio.TaskGroup() as group:
                subscriptions = {
                    node: self._subscription_to(node, self._shards) for node in self._shards.nodes
                }
                for subscription in subscriptions.values():
                    await subscription.subscribe(subscription.echo)
                self._subscriptions = subscriptions  # later streams subscribe themselves
                for subscription in subscriptions.values():
                    group.create_task(self._read_from(subscription))
                # All streams requested so far.
                await self._subscribe_all(list(self._streams), self._shards)
        finally:
            self._subscriptions = {}
            await self._shards.close()

    def _subscription_to(self, node: Redis, shards: Shards) -> RedisSubscription:
        """A subscription on `node`, with an echo channel that this server carries."""
        names = (f"{PREFIX}{self._me}:{number}" for number in itertools.count())
        echo = next(name for name in names if shards.of(name) is node)
        return RedisSubscription(node.pubsub(), echo, sharded=shards.sharded)

    async def _subscribe_all(self, names: list[str], shards: Shards) -> None:
        """Subscribe these streams. In a cluster, one command may name channels of one slot only."""
        batch_size = 1 if shards.clustered else SUBSCRIBE_BATCH_MAX
        for start in range(0, len(names), batch_size):
            some = names[start : start + batch_size]
            await self._subscription_of(some[0]).subscribe(*(channel_of(name) for name in some))

    async def _read_from(self, subscription: RedisSubscription) -> None:
        began = time.monotonic()
        while True:
            message = await subscription.next()
            if message is not None:
                self._handle(message)
            if (
                time.monotonic() - max(self._heard_at.get(subscription.echo, 0.0), began)
                > DEAF_AFTER_S
            ):
                raise TimeoutError("this instance does not receive its own messages")

    def _handle(self, message: dict[str, Any]) -> None:
        if message["type"] in ("subscribe", "ssubscribe"):
            channel = message["channel"].decode()
            if self._is_echo(channel):
                self._send_echo(channel)
            confirmed = self._streams.get(channel.removeprefix(PREFIX))
            if confirmed is not None and not confirmed.done():
                confirmed.set_result(None)
        elif message["type"] in ("message", "smessage"):
            self._deliver(message["data"])

    def _is_echo(self, channel: str) -> bool:
        return channel.startswith(PREFIX + self._me)

    def _deliver(self, data: bytes) -> None:
        try:
            message = _decode(data)
        except msgspec.MsgspecError as error:
            log.warning("not_understood", error=type(error).__name__)  # sent by another release
            return
        if isinstance(message, Echo):
            self._heard_at[message.channel] = time.monotonic()
        elif message.sender == self._me:
            return
        elif isinstance(message, EventMessage):
            self._rooms.arrived(message.event)
        else:
            packet = Packet(message.packet, shed=True, hidden_from=frozenset(message.hidden_from))
            self._rooms.ephemeral_arrived(message.stream, packet)


def channel_of(stream: str) -> str:
    return PREFIX + stream
