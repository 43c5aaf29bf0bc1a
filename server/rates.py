"""Token buckets: so much at once, then so much a second."""

import math
import time
from collections import OrderedDict
from typing import NamedTuple

BUCKETS_MAX = 200_000


class RateLimit(NamedTuple):
    """`burst` at once, then `per_s` a second."""

    burst: float
    per_s: float


class Buckets:
    """Token buckets by key; the least recently used are forgotten beyond a bound."""

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, count: int = 1) -> float:
        """Take `count` tokens: 0.0 when there was one, else the seconds until there is.

        What is taken beyond what is there is owed, up to another `burst`.
        """
        burst, per_s = self.limit
        now = time.monotonic()
        tokens, at = self._left.pop(key, (burst, now))
        tokens = min(burst, tokens + (now - at) * per_s)
        wait = 0.0 if tokens >= 1 else waiting_s((1 - tokens) / per_s)
        self._left[key] = (tokens if wait else max(tokens - count, -burst), now)
        if len(self._left) > BUCKETS_MAX:
            self._left.popitem(last=False)
        return wait


def waiting_s(seconds: float) -> float:
    """`seconds` as they are told: whole milliseconds and one more.

    Whoever waits them out, by a clock that may round, is then not refused again.
    """
    return (math.ceil(seconds * 1000) + 1) / 1000 if seconds > 0 else 0.0
