"""Runs the commands of each socket one after the other.

Invariants:
- Commands of one socket run in order, from a bounded queue; PINGs and other namespaces do not wait
  for them. Each socket first enters its rooms.
- If the queue is full, a command is refused at once. A client that keeps sending is cut, because
  each refusal costs an answer.
- A client that ignores rate limits is served no faster than the rate allows.
"""

import asyncio
from typing import Any

import structlog

from handlers.kit.errors import RateLimited, Refusal
from rooms.packets import Packet
from rooms.tasks import Tasks
from server.connection_admission import ConnectionAdmission
from server.connection_gate import ConnectionGate
from server.dispatch import Dispatcher, Incoming, error_body
from server.logs import where
from server.session import Socket
from server.wire import ClientPacket, ack_text

log = structlog.get_logger("socket")

TOO_FAST_MAX = 10
"""A client with this many more refusals by a rate than answers ignores the rate."""
SLOWED_MAX_S = 1.0
REFUSED_AT_ONCE_MAX = 1_000
"""Commands in a row that a full queue refuses before the connection is cut."""


class Workers:
    """Runs one task for each socket with work; one object for each instance."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        gate: ConnectionGate,
        admission: ConnectionAdmission,
        tasks: Tasks,
    ) -> None:
        self._dispatcher = dispatcher
        self._gate = gate
        self._admission = admission
        self._tasks = tasks

    def begin(self, socket: Socket, auth: dict[str, Any]) -> None:
        """Make a socket enter its rooms, as its client requested in `auth`."""
        socket.worker = self._tasks.spawn(self._work(socket, auth))

    def take(self, socket: Socket, packet: ClientPacket) -> None:
        """Queue a command of a socket, or refuse it."""
        if not socket.add_waiting(packet):
            self._refuse(socket, packet)
            return
        socket.refused_at_once = 0
        if socket.worker is None:
            socket.worker = self._tasks.spawn(self._work(socket, None))

    def _refuse(self, socket: Socket, packet: ClientPacket) -> None:
        socket.refused_at_once += 1
        if socket.refused_at_once > REFUSED_AT_ONCE_MAX:
            self._admission.count_flood()
            socket.connection.cut()
        acknowledge(socket, packet.id, error_body(RateLimited(retry_after_s=1)))

    async def _work(self, socket: Socket, entering: dict[str, Any] | None) -> None:
        """Enter the rooms if `entering` is given, then run commands until none waits."""
        try:
            if entering is not None:
                entered = await self._gate.let_in(socket, entering)
                self._admission.charge_entered(socket.connection, entered, known=socket.known)
            while socket.waiting:
                await self._answer(socket, socket.take_waiting())
        except Refusal:
            socket.connection.cut()  # its rooms could not be read; the client reconnects
        except Exception as raised:
            log.error("socket_failed", error=type(raised).__name__, where=where(raised))
            socket.connection.cut()
        finally:
            socket.worker = None
            if socket.gone:  # it left meanwhile, so leases of its last command end now
                socket.connection.still_working -= 1
                self._gate.left(socket)
                self._gate.disconnect(socket)

    async def _answer(self, socket: Socket, packet: ClientPacket) -> None:
        assert packet.data is not None  # only events are queued
        name, payload = packet.data
        incoming = Incoming(
            namespace=socket.namespace,
            name=name,
            payload=payload,
            actor=socket.actor,
            origin=socket.connection.origin,
            socket=socket,
            expected=packet.expected,
        )
        answer = await self._dispatcher.answer(incoming)
        acknowledge(socket, packet.id, answer.body)
        for afterwards in answer.context.after_ack:
            afterwards()
        await self._slow_down(socket, answer.wait_s)

    async def _slow_down(self, socket: Socket, wait_s: float) -> None:
        if not wait_s:
            socket.too_fast = max(socket.too_fast - 1, 0)
            return
        socket.too_fast += 1
        if socket.too_fast > TOO_FAST_MAX:
            await asyncio.sleep(min(wait_s, SLOWED_MAX_S))


def acknowledge(socket: Socket, packet_id: int | None, body: bytes) -> None:
    if packet_id is not None:
        socket.send(Packet(ack_text(socket.namespace, packet_id, body)))
