"""How many connections an instance takes: in all, from one address, and from visitors.

Invariants:
- Every TCP connection is counted from its accept to its end, whichever protocol it speaks by then.
  One beyond a bound is closed before anything is read from it.
- Every Engine.IO connection is counted from before its handshake is answered to its end. It counts
  as a visitor's until somebody signs in on it.
- A count returns to zero with the last connection, and its key is then forgotten.

Behind a trusted proxy all TCP connections come from one address, so only the sum is bounded there;
the proxy's clients are told apart by the address that it forwards. All IPv6 addresses of a /64
network count as one.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from handlers.kit.networks import network_of

Full = Literal["connections", "visitors"]


class Bounds(NamedTuple):
    """The most connections at a time.

    `per_peer` bounds the TCP connections of an address: a browser has several for its files beside
    the one that lasts.
    """

    connections: int
    per_peer: int
    per_address: int
    visitors: int
    visitors_per_address: int


class Tally:
    """How many there are of each key, and in all."""

    def __init__(self) -> None:
        self.total = 0
        self._of: dict[str, int] = {}

    def of(self, key: str) -> int:
        return self._of.get(key, 0)

    def add(self, key: str) -> None:
        self.total += 1
        self._of[key] = self._of.get(key, 0) + 1

    def remove(self, key: str) -> None:
        self.total -= 1
        if self._of[key] == 1:
            del self._of[key]
        else:
            self._of[key] -= 1


class Capacity:
    """One an instance."""

    def __init__(self, bounds: Bounds, is_proxy: Callable[[str], bool]) -> None:
        self._bounds = bounds
        self._is_proxy = is_proxy
        self._accepted = Tally()
        self._connections = Tally()
        self._visitors = Tally()

    def accept(self, peer: str) -> str | None:
        """Count a TCP connection from `peer`; the key for `closed`, None without room."""
        key = "proxies" if self._is_proxy(peer) else network_of(peer)
        crowded = key != "proxies" and self._accepted.of(key) >= self._bounds.per_peer
        if crowded or self._accepted.total >= self._bounds.connections:
            return None
        self._accepted.add(key)
        return key

    def closed(self, key: str) -> None:
        """A TCP connection that was accepted under `key` is gone."""
        self._accepted.remove(key)

    def reserve(self, network: str) -> Full | None:
        """Count an Engine.IO connection from `network` as a visitor's, unless something is full."""
        bounds = self._bounds
        if self._connections.of(network) >= bounds.per_address:
            return "connections"
        if self._visitors.of(network) >= bounds.visitors_per_address:
            return "visitors"
        if self._visitors.total >= bounds.visitors:
            return "visitors"
        self._connections.add(network)
        self._visitors.add(network)
        return None

    def signed_in(self, network: str) -> None:
        """A reserved connection is no visitor's any more."""
        self._visitors.remove(network)

    def release(self, network: str, *, visitor: bool) -> None:
        """A reserved connection is gone."""
        self._connections.remove(network)
        if visitor:
            self._visitors.remove(network)

    def counts(self) -> dict[str, int]:
        """What is counted now, for metrics."""
        return {
            "tcp_connections": self._accepted.total,
            "engine_connections": self._connections.total,
            "visitors": self._visitors.total,
        }
