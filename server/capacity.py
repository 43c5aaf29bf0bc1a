"""Limits the connections of an instance: in total, per address, and of visitors.

Invariants:
- Every TCP connection counts from its accept to its end, also after it changes its protocol. A
  connection beyond a limit is closed before anything is read from it.
- Every Engine.IO connection counts from before its handshake is answered to its end. It counts as a
  visitor's until a user signs in on it.
- A count returns to zero with the last connection, and its key is then removed.

All TCP connections from a trusted proxy have the same address, so only their total is limited; the
forwarded address tells the proxy's clients apart. All IPv6 addresses of a /64 network count as one
address.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from handlers.kit.networks import network_of

Full = Literal["connections", "visitors"]


class Bounds(NamedTuple):
    """The maximum numbers of concurrent connections.

    `per_peer` limits the TCP connections of an address: a browser opens several for files, in
    addition to the lasting one.
    """

    connections: int
    per_peer: int
    per_address: int
    visitors: int
    visitors_per_address: int


class Tally:
    """Counts by key, and their total."""

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
    """Counts the connections of one instance and enforces their limits."""

    def __init__(self, bounds: Bounds, is_proxy: Callable[[str], bool]) -> None:
        self._bounds = bounds
        self._is_proxy = is_proxy
        self._accepted = Tally()
        self._connections = Tally()
        self._visitors = Tally()

    def accept(self, peer: str) -> str | None:
        """Count a TCP connection from `peer`; returns the key for `closed`, or None if full."""
        key = "proxies" if self._is_proxy(peer) else network_of(peer)
        crowded = key != "proxies" and self._accepted.of(key) >= self._bounds.per_peer
        if crowded or self._accepted.total >= self._bounds.connections:
            return None
        self._accepted.add(key)
        return key

    def closed(self, key: str) -> None:
        """Note that a TCP connection accepted under `key` has ended."""
        self._accepted.remove(key)

    def reserve(self, network: str) -> Full | None:
        """Count an Engine.IO connection from `network` as a visitor's.

        Returns the limit that is reached, if any; then nothing is counted.
        """
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
        """Stop counting a reserved connection as a visitor's."""
        self._visitors.remove(network)

    def release(self, network: str, *, visitor: bool) -> None:
        """Note that a reserved connection has ended."""
        self._connections.remove(network)
        if visitor:
            self._visitors.remove(network)

    def counts(self) -> dict[str, int]:
        """The current counts, for metrics."""
        return {
            "tcp_connections": self._accepted.total,
            "engine_connections": self._connections.total,
            "visitors": self._visitors.total,
        }
