"""Token buckets: so much at once, then so much a second."""

import math
import time
from collections import OrderedDict
from itertools import islice
from typing import NamedTuple

BUCKETS_MAX = 200_000
FORGOTTEN_AT_ONCE = 2
DEBT_MAX = 10
"""What is charged afterwards is owed up to so many times the burst."""


class RateLimit(NamedTuple):
    """`burst` at once, then `per_s` a second."""

    burst: float
    per_s: float


class Buckets:
    """Token buckets by key. A full one is as good as none, so it is forgotten in time."""

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, count: float = 1) -> float:
        """Take `count` tokens: 0.0 when there was one, else the seconds until there is.

        What is taken beyond what is there is owed, up to another `burst`.
        """
        now = time.monotonic()
        tokens = self._tokens(key, now)
        wait = 0.0 if tokens >= 1 else waiting_s((1 - tokens) / self.limit.per_s)
        self._keep(key, tokens if wait else max(tokens - count, -self.limit.burst), now)
        return wait

    def wait_of(self, key: str) -> float:
        """The seconds until there is a token; takes none."""
        tokens = self._tokens(key, time.monotonic())
        return 0.0 if tokens >= 1 else waiting_s((1 - tokens) / self.limit.per_s)

    def charge(self, key: str, count: float) -> float:
        """Take `count` tokens for what is done already; the seconds until there is one again.

        What is not there is owed.
        """
        now = time.monotonic()
        tokens = max(self._tokens(key, now) - count, -DEBT_MAX * self.limit.burst)
        self._keep(key, tokens, now)
        return 0.0 if tokens >= 1 else waiting_s((1 - tokens) / self.limit.per_s)

    def forget(self, key: str) -> None:
        """Forget a key that does not come again."""
        self._left.pop(key, None)

    def _tokens(self, key: str, now: float) -> float:
        burst, per_s = self.limit
        tokens, at = self._left.get(key, (burst, now))
        return min(burst, tokens + (now - at) * per_s)

    def _keep(self, key: str, tokens: float, now: float) -> None:
        self._left[key] = (tokens, now)
        self._left.move_to_end(key)
        if len(self._left) > BUCKETS_MAX:
            self._left.popitem(last=False)
        self._forget_full(now)

    def _forget_full(self, now: float) -> None:
        """Look at the oldest two, so that more go than come; those in use moved to the end."""
        for key in list(islice(self._left, FORGOTTEN_AT_ONCE)):
            if self._tokens(key, now) < self.limit.burst:
                return
            del self._left[key]

    def __len__(self) -> int:
        return len(self._left)


def waiting_s(seconds: float) -> float:
    """`seconds` as they are told: whole milliseconds and one more.

    Whoever waits them out, by a clock that may round, is then not refused again.
    """
    return (math.ceil(seconds * 1000) + 1) / 1000 if seconds > 0 else 0.0
