"""Every bound on rates: token buckets per person, per address and per kind of use.

Sizes are bounds of other places (frames in the transport, texts in the contracts); they stay when
`PARLEY_LIMITS=off` lifts the rates.
"""

import ipaddress
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
        self._limit = limit
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Take one token: 0.0 when there was one, else the seconds until there is.

        They are whole milliseconds and one more, so that whoever waits them out, by a clock that
        may round, is not refused again.
        """
        burst, per_s = self._limit
        now = time.monotonic()
        tokens, at = self._left.pop(key, (burst, now))
        tokens = min(burst, tokens + (now - at) * per_s)
        wait = 0.0 if tokens >= 1 else (math.ceil((1 - tokens) / per_s * 1000) + 1) / 1000
        self._left[key] = (tokens if wait else tokens - 1, now)
        if len(self._left) > BUCKETS_MAX:
            self._left.popitem(last=False)
        return wait


class Limits:
    """The rates of PROTOCOL's default limits, by name."""

    def __init__(self, rates: dict[str, RateLimit], *, on: bool) -> None:
        self._buckets = {name: Buckets(rate) for name, rate in rates.items()}
        self._on = on

    def take(self, rate: str, key: str) -> float:
        """Seconds to wait before `key` may do it; 0.0 when it may now."""
        return self._buckets[rate].take(key) if self._on else 0.0

    def take_from(self, rate: str, address: str) -> float:
        """The same for an address: all of an IPv6 network of one subscriber count together."""
        return self.take(rate, network_of(address))


def network_of(address: str) -> str:
    """The address itself, or the /64 around it, of which one subscriber has all addresses."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found.packed, 64), strict=False))
