"""Lets connections enter namespaces: a CONNECT creates a socket, which then joins its rooms.

Invariants:
- A connection enters a namespace once. Another CONNECT for it gets the same confirmation, because a
  refusal would make clients close a socket that works. While the first one is still in progress,
  its answer is also that of the other one.
- A connection has one session: the first namespace with a token sets it, and the others must match.
- A connection gets nothing before it enters a namespace. Admission has a time limit, and cleans up
  if the client has left meanwhile.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from handlers.kit.errors import Invalid, RateLimited, Refusal, Unavailable
from server.connection_admission import ConnectionAdmission
from server.connection_gate import ConnectionGate
from server.engine import Engine
from server.session import Connection, Socket
from server.since import since_of
from server.telemetry import Metrics
from server.wire import ClientPacket, auth_of, connect_error_text, connect_text
from server.workers import Workers

ADMIT_WITHIN_S = 18.0
"""Long, because after a crash all clients return at once, and refusing one late costs as much as
admitting it. The JavaScript client waits for 20 s."""
REFUSED_ENTRIES_MAX = 20
"""A client that continues after this many refused entries is cut."""


class NamespaceEntry:
    """Creates and removes the sockets of connections."""

    def __init__(
        self,
        eio: Engine,
        gate: ConnectionGate,
        metrics: Metrics,
        admission: ConnectionAdmission,
        workers: Workers,
    ) -> None:
        self._eio = eio
        self._gate = gate
        self._metrics = metrics
        self._admission = admission
        self._workers = workers
        self._entering: set[tuple[str, str]] = set()
        """Pairs of a connection's sid and a namespace that it is about to enter."""

    def begin(self, connection: Connection, packet: ClientPacket) -> Coroutine[Any, Any, None]:
        """Enter a namespace, or refuse if the rate is exceeded; cut a client that goes on.

        Returns an awaitable that answers the CONNECT.
        """
        namespace, auth = packet.namespace, auth_of(packet.data)
        named = len(since_of(auth, namespace, self._gate.epoch).numbers)
        wait_s = self._admission.charge_entry(connection, named)
        if wait_s and connection.refused_entries > REFUSED_ENTRIES_MAX:
            connection.cut()
        if wait_s:
            return self._refuse(connection, namespace, RateLimited(retry_after_s=wait_s))
        if namespace in connection.sockets:
            return self._confirm(connection.sockets[namespace])
        if packet.expected:
            return self._refuse(connection, namespace, unreadable(packet.expected))
        return self._enter(connection, namespace, auth)

    async def refuse_unreadable(self, connection: Connection, namespace: str) -> None:
        """Refuse a CONNECT whose auth cannot be read."""
        if namespace not in connection.sockets:
            await self._refuse(connection, namespace, unreadable("an object as `auth`"))

    def leave(self, socket: Socket) -> None:
        """Remove a socket, whose client left the namespace or whose connection is gone."""
        socket.connection.sockets.pop(socket.namespace, None)
        socket.waiting.clear()
        self._metrics.sockets.dec()
        self._gate.left(socket)
        if socket.worker is None:
            self._gate.disconnect(socket)
        else:
            socket.connection.still_working += 1

    async def _refuse(self, connection: Connection, namespace: str, refusal: Refusal) -> None:
        await self._eio.send(connection.sid, connect_error_text(namespace, refused(refusal)))

    async def _confirm(self, socket: Socket) -> None:
        await self._eio.send(socket.connection.sid, connect_text(socket.namespace, socket.sid))

    async def _enter(self, connection: Connection, namespace: str, auth: dict[str, Any]) -> None:
        """Answer a CONNECT; the new socket then enters its rooms."""
        entering = (connection.sid, namespace)
        if entering in self._entering:
            return
        self._entering.add(entering)
        try:
            socket = await self._admit(connection, namespace, auth)
        except Refusal as refusal:
            await self._refuse(connection, namespace, refusal)
            return
        finally:
            self._entering.discard(entering)
        if socket is not None:
            await self._confirm(socket)
            if not socket.gone:
                self._workers.begin(socket, auth)

    async def _admit(
        self, connection: Connection, namespace: str, auth: dict[str, Any]
    ) -> Socket | None:
        """The new socket of a namespace, or None if the client has gone; raises Refusal."""
        try:
            async with asyncio.timeout(ADMIT_WITHIN_S), connection.admitting:
                known = await self._gate.admit(connection, namespace, auth)
        except TimeoutError:
            raise Unavailable(retry_after_s=1) from None
        except Refusal:
            self._admission.charge_refused_entry(connection)
            raise
        if known:
            self._admission.signed_in(connection)
        if auth.get("since") and (wait_s := self._admission.replay_wait(connection, known=known)):
            raise RateLimited(retry_after_s=wait_s)
        if connection.gone:
            self._gate.gone(connection)
            return None
        socket = Socket(connection, namespace, self._eio.generate_id(), known=known)
        connection.sockets[namespace] = socket
        self._metrics.sockets.inc()
        return socket


def unreadable(expected: str) -> Invalid:
    return Invalid("The packet cannot be read.", details={"path": "$", "expected": expected})


def refused(refusal: Refusal) -> dict[str, Any]:
    """A refusal as a CONNECT_ERROR: `err.message`, `err.data.code`."""
    data: dict[str, Any] = {"code": refusal.CODE}
    if refusal.details is not None:
        data["details"] = refusal.details
    if refusal.retry_after_s is not None:
        data["retry_after_s"] = refusal.retry_after_s
    return {"message": str(refusal), "data": data}
