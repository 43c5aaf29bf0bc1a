"""The Redis servers: a single one, or a cluster's primaries, each with its slots.

Sharded pub/sub (`SSUBSCRIBE`, Redis 7) is used wherever the server supports it. In a cluster each
message then stays on the server that has its channel's slot, so the load is divided.

Invariant: `Shards` owns every connection, and its `close` leaves none open, whatever fails or is
cancelled meanwhile. uvloop waits for ever to close a loop that has a connection left.
"""

import asyncio
from typing import Any

import structlog
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import RedisError

log = structlog.get_logger("redis")

SHARDED_SINCE = 7


class Shards:
    """Connections to the Redis servers, looked up by key."""

    def __init__(self, seed: Redis) -> None:
        self.nodes = [seed]
        self.sharded = False
        self._slots: list[tuple[int, int, Redis]] = []

    @property
    def clustered(self) -> bool:
        """Whether a command may name keys of one slot only."""
        return bool(self._slots)

    def add(self, first: int, last: int, node: Redis) -> None:
        """Assign the slots from `first` to `last`, inclusive, to `node`."""
        self._slots.append((first, last, node))

    def of(self, key: str) -> Redis:
        """The server with the slot of `key`, which may name a channel; raises ConnectionError."""
        if not self._slots:
            return self.nodes[0]
        slot = key_slot(key.encode())
        for first, last, node in self._slots:
            if first <= slot <= last:
                return node
        raise ConnectionError(f"no server of the cluster has slot {slot}")

    async def replace_nodes(self, nodes: list[Redis]) -> None:
        """Use these servers instead, and close the connections to the previous ones."""
        previous, self.nodes = self.nodes, nodes
        await _close_all(previous)

    async def close(self) -> None:
        await _close_all(self.nodes)


async def _close_all(nodes: list[Redis]) -> None:
    """Close connections. Each limits how long it takes, so a cancelled caller waits for them."""
    closing = asyncio.gather(*(_close(node) for node in nodes))
    try:
        await asyncio.shield(closing)
    except asyncio.CancelledError:
        await asyncio.wait({closing})
        raise


async def _close(node: Redis) -> None:
    try:
        await node.aclose()
    except (RedisError, OSError) as failed:  # it is closed all the same
        log.warning("redis_not_closed", error=type(failed).__name__)


async def find_shards(url: str, within_s: float) -> Shards:
    """Ask the server at `url` for its cluster.

    Raises what redis-py raises, TimeoutError, and ConnectionError for answers that make no sense.
    """
    known = dict(parse_url(url))
    shards = Shards(_open(known, within_s))
    try:
        async with asyncio.timeout(within_s):
            await _ask_for_shards(shards, known, within_s)
    except BaseException as failed:
        await shards.close()
        if isinstance(failed, (KeyError, TypeError, ValueError)):
            raise ConnectionError("the server's description makes no sense") from failed
        raise
    return shards


async def _ask_for_shards(shards: Shards, known: dict[str, Any], within_s: float) -> None:
    about = await shards.nodes[0].info()
    version = int(str(about["redis_version"]).partition(".")[0])
    shards.sharded = version >= SHARDED_SINCE
    if about.get("cluster_enabled"):
        await _find_primaries(shards, known, within_s)


async def _find_primaries(shards: Shards, known: dict[str, Any], within_s: float) -> None:
    (seed,) = shards.nodes
    primaries: dict[tuple[str, int], Redis] = {}
    listed: list[Any] = await seed.execute_command("CLUSTER SLOTS")  # type: ignore[no-untyped-call]
    for first, last, (host, port, *_), *_ in listed:
        place = (_text(host) or known.get("host", "localhost"), int(port))
        if place not in primaries:
            primaries[place] = _open({**known, "host": place[0], "port": place[1]}, within_s)
        shards.add(first, last, primaries[place])
    await shards.replace_nodes(list(primaries.values()))


def _open(known: dict[str, Any], within_s: float) -> Redis:
    """A connection without retries, because each caller retries in its own way."""
    once = Retry(NoBackoff(), 0)
    return Redis.from_pool(ConnectionPool(**known, socket_connect_timeout=within_s, retry=once))


def _text(host: Any) -> str:
    return host.decode() if isinstance(host, bytes) else str(host or "")
