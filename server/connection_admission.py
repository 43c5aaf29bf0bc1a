"""Admits or refuses new connections, and the entries of connections into namespaces.

Invariants:
- A handshake is refused with 429, before it is answered or its WebSocket opened, if its address
  connects too often or already has too many connections or visitors.
- A reserved place is either taken over by a connection, which releases it at its end, or released
  at the end of the request.
- Entering a namespace costs as much as the work it causes. A refused entry costs more, because
  checking a token is most of the work, and so does each room that is named or entered.
- Replayed events have their own rate, per user, or per address for visitors. They are charged after
  they are sent; until that charge is worked off, nothing more is replayed.
"""

from typing import Protocol

from aiohttp import web

from handlers.kit.errors import RateLimited
from handlers.kit.networks import network_of
from server.capacity import Capacity
from server.limits import Limits
from server.rejections import Rejections
from server.rest import refused
from server.session import Connection, Entry

NETWORK = web.RequestKey("network", str)
FULL_RETRY_S = 10.0
REFUSED_COST = 4
ROOMS_PER_ENTRY = 50
"""This many rooms, named or entered, cost as much as an entry: each takes a query or two."""
STILL_WORKING_MAX = 16
"""A connection cannot enter namespaces while this many that it left still finish their work."""
STILL_WORKING_WAIT_S = 1.0


class Addresses(Protocol):
    def address_of(self, request: web.Request) -> str: ...


class ConnectionAdmission:
    """Admits the connections and entries of one instance."""

    def __init__(
        self, addresses: Addresses, capacity: Capacity, limits: Limits, rejections: Rejections
    ) -> None:
        self._addresses = addresses
        self._capacity = capacity
        self._limits = limits
        self._rejections = rejections

    # Connections.

    async def admit(self, request: web.Request) -> web.Response | None:
        """Reserve a place for the connection that `request` opens, or return a refusal."""
        network = network_of(self._addresses.address_of(request))
        full = self._capacity.reserve(network)
        if full is not None:
            self._rejections.add(full)
            return refused(RateLimited("Too many are connected.", retry_after_s=FULL_RETRY_S))
        request[NETWORK] = network
        wait_s = await self._limits.take("connections", network)
        if not wait_s:
            return None
        self.release_unused(request)
        self._rejections.add("handshake_rate")
        return refused(RateLimited(retry_after_s=wait_s))

    def take_over(self, request: web.Request) -> str:
        """Pass the reserved place to a connection; returns the network that it counts for."""
        network: str = request.pop(NETWORK)
        return network

    def release_unused(self, request: web.Request) -> None:
        """Release a reserved place that no connection took over."""
        network = request.pop(NETWORK, None)
        if network is not None:
            self._capacity.release(network, visitor=True)

    def signed_in(self, connection: Connection) -> None:
        """Note that a user signed in on a connection; it no longer counts as a visitor's."""
        if connection.visitor and not connection.gone:
            connection.visitor = False
            self._capacity.signed_in(connection.network)

    def gone(self, connection: Connection) -> None:
        for rate in ("entries", "frames"):
            self._limits.forget(rate, connection.sid)
        self._capacity.release(connection.network, visitor=connection.visitor)

    # Entries and frames.

    def charge_entry(self, connection: Connection, named: int) -> float:
        """Seconds to wait before this connection may enter a namespace; 0.0 when it may now.

        `named` is the number of rooms that the client names.
        """
        wait_s = STILL_WORKING_WAIT_S if connection.still_working >= STILL_WORKING_MAX else 0.0
        wait_s = wait_s or self._limits.take_here("entries", connection.sid)
        wait_s = wait_s or self._limits.take_here("entries_of_address", connection.network)
        if wait_s:
            self._rejections.add("entry_rate")
            connection.refused_entries += 1
        else:
            self._charge(connection, named / ROOMS_PER_ENTRY)
        return wait_s

    def charge_refused_entry(self, connection: Connection) -> None:
        self._charge(connection, REFUSED_COST)

    def replay_wait(self, connection: Connection, *, known: bool) -> float:
        """Seconds to wait before this connection may have events replayed; 0.0 when it may now."""
        return self._limits.wait_of("replays", replay_key(connection, known=known))

    def charge_entered(self, connection: Connection, entered: Entry, *, known: bool) -> None:
        """Charge for the rooms and the replayed events of a namespace that was entered."""
        self._charge(connection, entered.rooms / ROOMS_PER_ENTRY)
        self._limits.charge("replays", replay_key(connection, known=known), entered.replayed)

    def count_malformed(self) -> None:
        self._rejections.add("malformed_packet")

    def count_flood(self) -> None:
        self._rejections.add("flood")

    def pace(self, connection: Connection, frames: int) -> float:
        """Charge `frames`; returns the seconds for which nothing more is read from the connection.

        All connections of a user share a rate, as do all visitors of an address.
        """
        if not self._limits.on:
            return 0.0
        whose = connection.actor.id if connection.actor else connection.network
        wait_s = self._limits.charge("frames", connection.sid, frames)
        return max(wait_s, self._limits.charge("frames_together", whose, frames))

    def _charge(self, connection: Connection, count: float) -> None:
        if not connection.gone:
            self._limits.charge("entries", connection.sid, count)
        self._limits.charge("entries_of_address", connection.network, count)


def replay_key(connection: Connection, *, known: bool) -> str:
    """The key that replays are charged to: the signed-in user, otherwise the address."""
    return connection.actor.id if known and connection.actor is not None else connection.network
