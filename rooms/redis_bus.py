"""The rooms of several instances, joined by Redis: what one commits the others hear at once.

Invariants:
- Best effort. Nothing that waits for a commit or an answer waits for Redis, and nothing lost here
  is sent again: `rooms/gaps.py` finds it by number in the database, within a second.
- Publishing has its own line (`rooms/redis_client.py`), bounded in time and in length.
- Listening has its own connections, one to each server that Redis consists of. When one of them is
  lost, or is no longer the right one, all are made anew after one to two seconds, and every stream
  with members here is subscribed again.
- Every few seconds this instance says something to itself by each of those servers. When it does
  not hear that, it is deaf whatever the connection looks like: not `well`, and it begins anew.
- One channel a stream, subscribed while the stream has members here. `subscribe` returns when
  Redis has confirmed it; while Redis is away it returns at once, and the database fills the gaps.
- What this instance published comes back to it too, and is told by its sender and left out.
"""

import asyncio
import itertools
import random
import secrets
import time
from collections import Counter
from contextlib import suppress
from typing import Any

import msgspec
import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from rooms.bus import Hears
from rooms.packets import Packet
from rooms.redis_client import FAILURES, RedisClient
from rooms.redis_shards import Shards, find_shards
from rooms.tasks import Tasks
from storage.events.log import Numbered

log = structlog.get_logger("bus")

PREFIX = "parley:"
RECONNECT_AFTER_S = (1.0, 2.0)
SUBSCRIBED_WITHIN_S = 1.0
SUBSCRIBE_AT_ONCE = 1_000
ECHO_EVERY_S = 2.0
DEAF_AFTER_S = 7.0
READ_WITHIN_S = 1.0


class Told(msgspec.Struct, array_like=True, tag="event"):
    """An event, as one instance tells it to the others."""

    sender: str
    event: Numbered


class EphemeralMessage(msgspec.Struct, array_like=True, tag="ephemeral"):
    """An ephemeral event, likewise."""

    sender: str
    stream: str
    packet: bytes
    hidden_from: list[str] = []


class Echo(msgspec.Struct, array_like=True, tag="echo"):
    """What an instance says to itself, and by which channel."""

    sender: str
    channel: str


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Told | EphemeralMessage | Echo).decode


class RedisSubscription:
    """What is heard from one server."""

    def __init__(self, pubsub: PubSub, echo: str, *, sharded: bool) -> None:
        self.echo = echo
        """The channel by which this instance says to itself that it hears."""
        self._given_up: Counter[bytes] = Counter()
        """Channels that we asked to be left out of, as often as that is still to be confirmed."""
        self._pubsub = pubsub
        self._sharded = sharded

    async def subscribe(self, *channels: str) -> None:
        await (self._pubsub.ssubscribe if self._sharded else self._pubsub.subscribe)(*channels)

    async def unsubscribe(self, channel: str) -> None:
        self._given_up[channel.encode()] += 1
        await (self._pubsub.sunsubscribe if self._sharded else self._pubsub.unsubscribe)(channel)

    async def next(self) -> dict[str, Any] | None:
        """What comes next, or None when nothing came for a while."""
        message: dict[str, Any] | None = await self._pubsub.get_message(timeout=READ_WITHIN_S)
        if message and message["type"] in ("unsubscribe", "sunsubscribe"):
            self._confirm(message["channel"])
        return message

    def _confirm(self, channel: bytes) -> None:
        """A channel is left; raises ConnectionError when nobody here wanted that."""
        self._given_up[channel] -= 1
        if self._given_up[channel] < 0:
            raise ConnectionError("the channel is kept by another server now")
        if not self._given_up[channel]:
            del self._given_up[channel]


class RedisBus:
    """One instance's connections to Redis; none is needed for it to start or to go on."""

    def __init__(self, url: str) -> None:
        self._me = secrets.token_hex(8)
        self._url = url
        self._redis = RedisClient(url)
        self._streams: dict[str, asyncio.Future[None]] = {}
        """Those subscribed or to be, each with its confirmation."""
        self._shards: Shards | None = None
        self._subscriptions: dict[Redis, RedisSubscription] = {}
        """Empty while this instance does not listen."""
        self._heard_at: dict[str, float] = {}
        """When each echo was heard last."""
        self._tasks = Tasks()

    @property
    def well(self) -> bool:
        echoes = [subscription.echo for subscription in self._subscriptions.values()]
        return bool(echoes) and all(self._hears(echo) for echo in echoes)

    def _hears(self, echo: str) -> bool:
        return time.monotonic() - self._heard_at.get(echo, -DEAF_AFTER_S) < DEAF_AFTER_S

    async def start(self, rooms: Hears) -> None:
        self._rooms = rooms
        await self._redis.start()
        self._tasks.spawn(self._listen())
        self._tasks.spawn(self._say_echoes())

    async def stop(self) -> None:
        await self._tasks.end()
        await self._redis.stop()

    # Out.

    def publish(self, event: Numbered) -> None:
        self._say(event.stream, Told(self._me, event))

    def publish_ephemeral(self, stream: str, packet: Packet) -> None:
        hidden_from = list(packet.hidden_from)
        self._say(stream, EphemeralMessage(self._me, stream, packet.text, hidden_from))

    def _say(self, stream: str, message: Told | EphemeralMessage) -> None:
        if self._redis.open:
            self._redis.publish(channel_of(stream), _encode(message))

    async def _say_echoes(self) -> None:
        while True:
            for subscription in self._subscriptions.values():
                self._say_echo(subscription.echo)
            await asyncio.sleep(ECHO_EVERY_S)

    def _say_echo(self, echo: str) -> None:
        if self._redis.open:
            self._redis.publish(echo, _encode(Echo(self._me, echo)))

    # In.

    async def subscribe(self, *streams: str) -> None:
        create_future = asyncio.get_running_loop().create_future
        confirmed = [create_future() for _ in streams]
        self._streams.update(zip(streams, confirmed, strict=True))
        if not self._subscriptions or self._shards is None:
            return  # with all others, at the next connection
        try:
            async with asyncio.timeout(SUBSCRIBED_WITHIN_S):
                await self._ask_for(list(streams), self._shards)
                await asyncio.wait(confirmed)
        except Exception as raised:  # of a connection that is just being closed, anything
            log.warning("not_subscribed", error=type(raised).__name__)

    def unsubscribe(self, stream: str) -> None:
        if self._streams.pop(stream, None) is not None and self._subscriptions:
            self._tasks.spawn(self._unsubscribe(stream))

    async def _unsubscribe(self, stream: str) -> None:
        try:
            if self._subscriptions and stream not in self._streams:  # nobody came in meanwhile
                async with asyncio.timeout(SUBSCRIBED_WITHIN_S):
                    await self._subscription_of(stream).unsubscribe(channel_of(stream))
        except Exception as raised:
            log.warning("not_unsubscribed", error=type(raised).__name__)

    def _subscription_of(self, stream: str) -> RedisSubscription:
        assert self._shards is not None  # there are ears
        return self._subscriptions[self._shards.of(channel_of(stream))]

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except* FAILURES as errors:
                log.warning("not_listening", error=type(errors.exceptions[0]).__name__)
            await asyncio.sleep(random.uniform(*RECONNECT_AFTER_S))  # noqa: S311

    async def _listen_once(self) -> None:
        """Hear what comes until a connection fails; raises what it fails of."""
        self._shards = await find_shards(self._url, READ_WITHIN_S)
        try:
            async with asyncio.TaskGroup() as group:
                subscriptions = {
                    node: self._subscription_to(node, self._shards) for node in self._shards.nodes
                }
                for subscription in subscriptions.values():
                    await subscription.subscribe(subscription.echo)
                self._subscriptions = (
                    subscriptions  # what comes to be wanted from here on asks itself
                )
                for subscription in subscriptions.values():
                    group.create_task(self._hear_from(subscription))
                # Everything that is wanted by now.
                await self._ask_for(list(self._streams), self._shards)
        finally:
            self._subscriptions = {}
            with suppress(*FAILURES):
                await self._shards.close()

    def _subscription_to(self, node: Redis, shards: Shards) -> RedisSubscription:
        """An ear whose echo goes by this very server."""
        names = (f"{PREFIX}{self._me}:{number}" for number in itertools.count())
        echo = next(name for name in names if shards.of(name) is node)
        return RedisSubscription(node.pubsub(), echo, sharded=shards.sharded)

    async def _ask_for(self, names: list[str], shards: Shards) -> None:
        """Subscribe these streams; one command names channels of one slot only."""
        at_once = 1 if shards.clustered else SUBSCRIBE_AT_ONCE
        for start in range(0, len(names), at_once):
            some = names[start : start + at_once]
            await self._subscription_of(some[0]).subscribe(*(channel_of(name) for name in some))

    async def _hear_from(self, subscription: RedisSubscription) -> None:
        began = time.monotonic()
        while True:
            message = await subscription.next()
            if message is not None:
                self._take(message)
            if (
                time.monotonic() - max(self._heard_at.get(subscription.echo, 0.0), began)
                > DEAF_AFTER_S
            ):
                raise TimeoutError("this instance does not hear itself")

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] in ("subscribe", "ssubscribe"):
            channel = message["channel"].decode()
            if self._is_echo(channel):
                self._say_echo(channel)
            confirmed = self._streams.get(channel.removeprefix(PREFIX))
            if confirmed is not None and not confirmed.done():
                confirmed.set_result(None)
        elif message["type"] in ("message", "smessage"):
            self._hear(message["data"])

    def _is_echo(self, channel: str) -> bool:
        return channel.startswith(PREFIX + self._me)

    def _hear(self, data: bytes) -> None:
        try:
            heard = _decode(data)
        except msgspec.MsgspecError as error:
            log.warning("not_understood", error=type(error).__name__)  # another release's
            return
        if isinstance(heard, Echo):
            self._heard_at[heard.channel] = time.monotonic()
        elif heard.sender == self._me:
            return
        elif isinstance(heard, Told):
            self._rooms.arrived(heard.event)
        else:
            packet = Packet(heard.packet, shed=True, hidden_from=frozenset(heard.hidden_from))
            self._rooms.said_ephemerally(heard.stream, packet)


def channel_of(stream: str) -> str:
    return PREFIX + stream
