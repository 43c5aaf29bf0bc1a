"""The Socket.IO server on Engine.IO: handles connects, events and disconnects.

Invariants:
- A client's event can only become a command: `connect` and `disconnect` sent as events are unknown
  commands like any other.
- A connection is closed if it enters no namespace within 10 s (`server/namespace_entry.py`).
- A disconnect handler never waits: tasks do its database work.
"""

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import structlog
from aiohttp import web

from handlers.kit.kernel import Origin
from rooms.packets import Packet
from rooms.tasks import Tasks
from server.bodies import Bodies
from server.connection_admission import ConnectionAdmission
from server.connection_gate import ConnectionGate
from server.dispatch import Dispatcher
from server.engine import Engine, cap_last_ping
from server.logs import transport_logger
from server.namespace_entry import NamespaceEntry
from server.rest import device_of
from server.session import Connection
from server.settings import Settings
from server.telemetry import Metrics
from server.wire import (
    CONNECT,
    DISCONNECT,
    EVENT,
    ClientPacket,
    MalformedPacket,
    UnreadableAuth,
)
from server.workers import Workers

log = structlog.get_logger("socket")

STRIKES_MAX = 3
CONNECT_WITHIN_S = 10.0
END_WITHIN_S = 0.5
STOP_WITHIN_S = 5.0
PING_EVERY_S = 10
PING_TIMEOUT_S = 6
PATH = "socket.io"


class Sockets:
    """All connections of this instance."""

    def __init__(
        self,
        settings: Settings,
        dispatcher: Dispatcher,
        gate: ConnectionGate,
        metrics: Metrics,
        admission: ConnectionAdmission,
    ) -> None:
        self.eio = Engine(
            logger=transport_logger(),
            ping_interval=PING_EVERY_S,
            ping_timeout=PING_TIMEOUT_S,
            cors_allowed_origins=lambda origin, environ: (
                origin is not None and settings.allows_origin(origin, environ["aiohttp.request"])
            ),
            http_compression=False,
        )
        self._settings = settings
        self._gate = gate
        self._metrics = metrics
        self._admission = admission
        self._connections: dict[str, Connection] = {}
        self._empty = asyncio.Event()
        self._tasks = Tasks()
        self._workers = Workers(dispatcher, gate, admission, self._tasks)
        self._entry = NamespaceEntry(self.eio, gate, metrics, admission, self._workers)
        self._tidying = Tasks()
        self.eio.on_message = self._receive
        self.eio.on_binary = self._receive_binary
        self.eio.on_malformed = self._strike_by_id
        self.eio.on_unreadable = self._turn_away
        self.eio.allows_origin = settings.allows_origin
        self.eio.pace = self._pace
        self.eio.admit = admission.admit
        self.eio.release = admission.release_unused
        self.eio.on("connect", self._connected)
        self.eio.on("disconnect", self._disconnected)

    def attach(self, application: web.Application, bodies: Bodies) -> None:
        """Add the route for clients, whose packets are read by `bodies`."""
        self.eio.posts.chunks = bodies.chunks
        self.eio.attach(application, PATH)

    @property
    def connections(self) -> list[Connection]:
        return list(self._connections.values())

    async def start(self) -> None:
        """Start to detect dead connections."""
        self._tidying.spawn(self._tidy())

    async def stop(self) -> None:
        """End all connections and their tasks; call it after the gate has stopped admitting."""
        self.cut_all()
        await self.wait_for_leave(STOP_WITHIN_S)
        await self._tasks.wait(STOP_WITHIN_S)
        await self._tidying.end()

    def cut_all(self) -> None:
        for connection in self.connections:
            connection.cut()

    def move(self, connection: Connection) -> None:
        """Make a client reconnect to another instance, after its commands are answered."""
        self._tasks.spawn(self._move(connection))

    async def wait_for_leave(self, within_s: float) -> None:
        """Wait until there are no connections, for at most `within_s`."""
        if self._connections:
            with suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._empty.wait()

    async def _tidy(self) -> None:
        """Detect dead peers and remove closed sockets, all of them in each round.

        Engine.IO's own task checks one client at a time, and so gets slower with more clients.
        """
        while True:
            await asyncio.sleep(PING_TIMEOUT_S / 2)
            for socket in list(self.eio.sockets.values()):
                try:
                    await self._look_after(socket)
                except Exception as raised:
                    log.error("not_looked_after", error=type(raised).__name__)

    async def _look_after(self, socket: Any) -> None:
        if socket.closed:
            self.eio.sockets.pop(socket.sid, None)
        elif not socket.closing:
            cap_last_ping(socket)
            await socket.check_ping_timeout()

    # Connections open and close.

    async def _connected(self, eio_sid: str, environ: dict[str, Any]) -> None:
        request = environ["aiohttp.request"]
        origin = Origin(
            address=self._settings.address_of(request),
            device=device_of(request),
            reached=self._settings.reached_of(request),
        )
        outgoing = self.eio.sockets[eio_sid].queue
        network = self._admission.take_over(request)
        connection = Connection(eio_sid, outgoing, origin, network, self._cut)
        self._connections[eio_sid] = connection
        self._empty.clear()
        self._reap_later(connection)
        self._metrics.connections.inc()

    async def _disconnected(self, eio_sid: str, reason: str) -> None:
        connection = self._connections.pop(eio_sid, None)
        if connection is None:
            return
        connection.gone = True
        connection.outgoing.put_nowait(None)  # closes a WebSocket
        if reason == self.eio.reason.PING_TIMEOUT:
            connection.silent_s = self._silence_of(eio_sid)
            connection.outgoing.abort()
        self._metrics.connections.dec()
        self._admission.gone(connection)
        if connection.reaper is not None:
            connection.reaper.cancel()
        for socket in list(connection.sockets.values()):
            self._entry.leave(socket)
        self._gate.gone(connection)
        if not self._connections:
            self._empty.set()

    def _silence_of(self, eio_sid: str) -> float:
        """Seconds since the last PONG."""
        asked_at = self.eio.sockets[eio_sid].last_ping
        assert asked_at is not None
        return time.time() - asked_at + PING_EVERY_S

    def _reap(self, connection: Connection) -> None:
        """Close a connection that has not entered a namespace, as a user or a visitor."""
        if connection.admitting.locked():
            self._reap_later(connection)
        elif not connection.sockets:
            self._close(connection)

    def _reap_later(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        connection.reaper = loop.call_later(CONNECT_WITHIN_S, self._reap, connection)

    def _close(self, connection: Connection) -> None:
        """Close a connection after everything sent before."""
        self._tasks.spawn(self.end(connection))

    # Packets arrive.

    def _receive(self, eio_sid: str, data: Any) -> Coroutine[Any, Any, None] | None:
        """Process a message; returns an awaitable that must finish before the next, or None."""
        connection = self._connections.get(eio_sid)
        if connection is None or connection.is_cut or connection.ending:
            return None
        try:
            packet = ClientPacket(data)
        except UnreadableAuth as unreadable:
            self._strike(connection)
            return self._entry.refuse_unreadable(connection, unreadable.namespace)
        except MalformedPacket:
            self._strike(connection)
            return None
        connection.attachments += packet.attachments
        if packet.packet_type == EVENT:
            self._queue(connection, packet)
        elif packet.packet_type == CONNECT:
            return self._entry.begin(connection, packet)
        elif packet.packet_type == DISCONNECT and packet.namespace in connection.sockets:
            self._entry.leave(connection.sockets[packet.namespace])
        return None

    def _receive_binary(self, eio_sid: str) -> None:
        """Note a binary message; a packet that announced it was answered already."""
        if (connection := self._connections.get(eio_sid)) is None:
            return
        if connection.attachments:
            connection.attachments -= 1
        else:
            self._strike(connection)

    def _queue(self, connection: Connection, packet: ClientPacket) -> None:
        socket = connection.sockets.get(packet.namespace)
        if socket is None:
            self._strike(connection)
        else:
            self._workers.take(socket, packet)

    def _pace(self, eio_sid: str, frames: int) -> float:
        connection = self._connections.get(eio_sid)
        return self._admission.pace(connection, frames) if connection is not None else 0.0

    def _strike_by_id(self, eio_sid: str) -> None:
        if (connection := self._connections.get(eio_sid)) is not None:
            self._strike(connection)

    def _strike(self, connection: Connection) -> None:
        """Count a malformed packet; `STRIKES_MAX` of them close the connection."""
        self._admission.count_malformed()
        connection.strikes += 1
        if connection.strikes >= STRIKES_MAX:
            self._close(connection)

    # A connection ends.

    async def end(self, connection: Connection) -> None:
        """Close a connection after a DISCONNECT for each namespace, so clients do not return."""
        self._say_end(connection)
        await self._finish(connection)

    def _say_end(self, connection: Connection) -> None:
        for socket in list(connection.sockets.values()):
            socket.send(Packet(b"41%b," % socket.namespace.encode()))

    def _turn_away(self, eio_sid: str) -> None:
        """End a connection because of what its client sent, so that it does not send it again."""
        if (connection := self._connections.get(eio_sid)) is not None:
            self._admission.count_malformed()
            self._say_end(connection)
            self._tasks.spawn(self._finish(connection))

    async def _move(self, connection: Connection) -> None:
        at_work = [socket.worker for socket in connection.sockets.values() if socket.worker]
        if at_work:
            await asyncio.wait(at_work, timeout=STOP_WITHIN_S)
        await self._finish(connection)

    async def _finish(self, connection: Connection) -> None:
        """Close the transport after everything sent before; nothing more is processed."""
        connection.ending = True
        engine_socket = self.eio.sockets.get(connection.sid)
        if connection.outgoing.websocket is not None:
            connection.outgoing.finish()
        elif engine_socket is not None:
            await connection.outgoing.read_out(END_WITHIN_S)
            await engine_socket.close(wait=False)
        asyncio.get_running_loop().call_later(END_WITHIN_S, self._cut_if_there, connection)

    def _cut(self, connection: Connection) -> None:
        """Drop the connection with its unsent data; a returning client gets the missed events."""
        self._metrics.cut.inc()
        connection.outgoing.abort()
        if connection.outgoing.websocket is None:
            self._tasks.spawn(self.eio.disconnect(connection.sid))

    def _cut_if_there(self, connection: Connection) -> None:
        if not connection.gone:
            connection.cut()
