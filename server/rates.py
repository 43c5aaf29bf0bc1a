"""Token buckets: a burst at once, then a rate per second."""

import math
import time
from collections import OrderedDict
from itertools import islice
from typing import NamedTuple

BUCKETS_MAX = 200_000
REMOVED_PER_CALL = 2
DEBT_MAX = 10
"""The maximum debt after `charge`, as a multiple of the burst."""


class RateLimit(NamedTuple):
    """`burst` tokens at once, then `per_s` per second."""

    burst: float
    per_s: float


class Buckets:
    """Token buckets by key. A full bucket equals none, so it is removed after some time."""

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, count: float = 1) -> float:
        """Take `count` tokens if there is at least one; else returns the seconds until there is.

        Missing tokens become a debt of at most `burst`.
        """
        now = time.monotonic()
        tokens = self._tokens(key, now)
        wait = 0.0 if tokens >= 1 else waiting_s((1 - tokens) / self.limit.per_s)
        self._keep(key, tokens if wait else max(tokens - count, -self.limit.burst), now)
        return wait

    def wait_of(self, key: str) -> float:
        """Seconds until there is a token; takes none."""
        tokens = self._tokens(key, time.monotonic())
        return 0.0 if tokens >= 1 else waiting_s((1 - tokens) / self.limit.per_s)

    def charge(self, key: str, count: float) -> float:
        """Take `count` tokens for completed work; returns the seconds until there is one again.

        Missing tokens become a debt of at most `DEBT_MAX` bursts.
        """
        now = time.monotonic()
        tokens = max(self._tokens(key, now) - count, -DEBT_MAX * self.limit.burst)
        self._keep(key, tokens, now)
        return 0.0 if tokens >= 1 else waiting_s((1 - tokens) / self.limit.per_s)

    def forget(self, key: str) -> None:
        """Remove a key that will not return."""
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
        """Remove the oldest buckets that are full: two per call, so that more leave than come.

        Each use moves a bucket to the end.
        """
        for key in list(islice(self._left, REMOVED_PER_CALL)):
            if self._tokens(key, now) < self.limit.burst:
                return
            del self._left[key]

    def __len__(self) -> int:
        return len(self._left)


def waiting_s(seconds: float) -> float:
    """`seconds` rounded up to whole milliseconds, plus one millisecond.

    A client that waits this long is not refused again, even if its clock rounds.
    """
    return (math.ceil(seconds * 1000) + 1) / 1000 if seconds > 0 else 0.0
