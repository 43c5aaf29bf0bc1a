"""Rates that all instances share, in Redis."""

import math
from typing import TYPE_CHECKING

from server.rates import RateLimit, waiting_s

if TYPE_CHECKING:
    from rooms.redis_client import RedisClient

PREFIX = "parley:rate:"
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local each, burst, count = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local wait = full_at + each - burst * each - now
if wait > 0 then return math.ceil(wait) end
local full_again_at = math.min(full_at + count * each, now + 2 * burst * each)
redis.call('SET', KEYS[1], full_again_at, 'PX', math.ceil((full_again_at - now) / 1000) + 1)
return 0
"""
"""Stores when a bucket will be full again, in microseconds of Redis's clock; returns the wait."""


class SharedRates:
    """Token buckets like those in `server/rates.py`, each shared by all instances."""

    def __init__(self, redis: "RedisClient") -> None:
        self._redis = redis

    async def take(self, rate: str, key: str, limit: RateLimit, count: int = 1) -> float | None:
        """Take `count` tokens; returns the seconds to wait, or None if Redis is unavailable."""
        name = f"{PREFIX}{rate}:{key}"
        each_us = math.ceil(1_000_000 / limit.per_s)
        values = (each_us, limit.burst, count)
        answer = await self._redis.ask(name, ("EVAL", _TAKE, 1, name, *values))
        if answer is None:
            return None
        return waiting_s(answer[0] / 1_000_000)
