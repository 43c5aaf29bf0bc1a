"""Decides which new connections and which entries into namespaces an address gets.

Invariants:
- A handshake is refused (429) before its answer is sent or its websocket opened, when its address
  connects too often, or has too many connections or too many visitors already.
- A place that was reserved is either taken over by a connection, which gives it back at its end, or
  given back when the request ends.
- Entering a namespace costs what it makes the server do: more when it is refused, since checking a
  token is most of the work, and more for the rooms that are named and entered. Replayed events have
  a rate of their own, by person; a visitor's counts by address. They are charged once they are
  sent, and nothing is replayed before they are paid.
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
"""So many rooms, named or entered, cost as much as an entry: each takes a query or two."""
STILL_WORKING_MAX = 16
"""A connection enters no more namespaces while so many that it left still have work to finish."""
STILL_WORKING_WAIT_S = 1.0


class Addresses(Protocol):
    def address_of(self, request: web.Request) -> str: ...


class ConnectionAdmission:
    """One an instance."""

    def __init__(
        self, addresses: Addresses, capacity: Capacity, limits: Limits, rejections: Rejections
    ) -> None:
        self._addresses = addresses
        self._capacity = capacity
        self._limits = limits
        self._rejections = rejections

    # Connections.

    async def admit(self, request: web.Request) -> web.Response | None:
        """Reserve a place for the connection that `request` begins, or refuse it."""
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
        """The reserved place is a connection's from now on; the network that it counts with."""
        network: str = request.pop(NETWORK)
        return network

    def release_unused(self, request: web.Request) -> None:
        """Give a reserved place back that no connection took over."""
        network = request.pop(NETWORK, None)
        if network is not None:
            self._capacity.release(network, visitor=True)

    def signed_in(self, connection: Connection) -> None:
        """Somebody is signed in on a connection that was a visitor's."""
        if connection.visitor and not connection.gone:
            connection.visitor = False
            self._capacity.signed_in(connection.network)

    def gone(self, connection: Connection) -> None:
        for rate in ("entries", "frames"):
            self._limits.forget(rate, connection.sid)
        self._capacity.release(connection.network, visitor=connection.visitor)

    # What they send.

    def charge_entry(self, connection: Connection, named: int) -> float:
        """Seconds to wait before this connection may enter a namespace; 0.0 when it may now.

        `named` is the number of rooms whose events the client asks for.
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
        """Seconds for which no more frames are read from a connection that sent so many now.

        All connections of a person have a rate together, and so have all visitors of an address.
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
    """Whose replays these are: the signed-in person's, else those of the address."""
    return connection.actor.id if known and connection.actor is not None else connection.network
