"""Connections and their sockets: one session for all namespaces, which ends when it is revoked."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from handlers.kit.errors import TooMany
from handlers.kit.kernel import Actor, Origin
from rooms.packets import Packet
from server.transport import Outgoing

if TYPE_CHECKING:
    from server.wire import ClientPacket

WAITING_COMMANDS_MAX = 100
WAITING_BYTES_MAX = 4_194_304
"""The payloads of waiting commands; the command that exceeds it still waits."""
LEASES_MAX = 100
LISTENS_MAX = 1_000


class Entry(NamedTuple):
    """The numbers of rooms entered and of events replayed for one namespace."""

    rooms: int
    replayed: int


class Connection:
    """One Engine.IO connection: at most one session, and a socket for each namespace."""

    __slots__ = (
        "__weakref__",
        "actor",
        "admitting",
        "attachments",
        "ending",
        "gone",
        "is_cut",
        "network",
        "on_cut",
        "origin",
        "outgoing",
        "reaper",
        "refused_entries",
        "sid",
        "silent_s",
        "sockets",
        "still_working",
        "strikes",
        "visitor",
    )

    def __init__(
        self,
        sid: str,
        outgoing: Outgoing,
        origin: Origin,
        network: str,
        on_cut: Callable[[Connection], None],
    ) -> None:
        self.sid = sid
        self.on_cut = on_cut
        self.is_cut = False
        self.ending = False
        """Whether its client was told that it ends; nothing that it sends is processed."""
        self.outgoing = outgoing
        self.origin = origin
        self.actor: Actor | None = None
        self.sockets: dict[str, Socket] = {}
        self.strikes = 0
        self.attachments = 0
        """The number of binary messages that the last packets announced."""
        self.gone = False
        self.network = network
        """The network that it counts for in limits: an IPv4 address or an IPv6 /64."""
        self.visitor = True
        """Whether no user has signed in on it yet."""
        self.refused_entries = 0
        self.still_working = 0
        """The number of sockets that have left but still have work to finish."""
        self.silent_s = 0.0
        """Seconds from the client's last sign of life to the end, if it ended by a timeout."""
        self.admitting = asyncio.Lock()
        self.reaper: asyncio.TimerHandle | None = None

    def cut(self) -> None:
        """Close it at once; nothing more is sent, so the client never sees a gap."""
        if not self.is_cut:
            self.is_cut = True
            self.on_cut(self)


class Socket:
    """One namespace of a connection: a member of rooms, with a queue of commands in order."""

    __slots__ = (
        "connection",
        "known",
        "leases",
        "listens",
        "namespace",
        "refused_at_once",
        "sid",
        "too_fast",
        "waiting",
        "waiting_bytes",
        "worker",
    )

    def __init__(self, connection: Connection, namespace: str, sid: str, *, known: bool) -> None:
        self.connection = connection
        self.namespace = namespace
        self.sid = sid
        self.known = known
        self.leases: dict[str, str] = {}
        """Lease ids by subject."""
        self.listens: set[str] = set()
        self.waiting: deque[ClientPacket] = deque()
        self.waiting_bytes = 0
        self.too_fast = 0
        """How many more commands were refused by a rate than were answered."""
        self.refused_at_once = 0
        """The number of successive commands that found the queue full."""
        self.worker: asyncio.Task[None] | None = None

    def add_waiting(self, packet: ClientPacket) -> bool:
        """Add a command to the queue; returns False if it is full."""
        full = len(self.waiting) >= WAITING_COMMANDS_MAX or self.waiting_bytes > WAITING_BYTES_MAX
        if not full:
            self.waiting.append(packet)
            self.waiting_bytes += len(packet.data[1])
        return not full

    def take_waiting(self) -> ClientPacket:
        """The next command of the queue."""
        packet = self.waiting.popleft()
        self.waiting_bytes -= len(packet.data[1])
        return packet

    @property
    def actor(self) -> Actor | None:
        """The signed-in user; a visitor's socket stays a visitor's."""
        return self.connection.actor if self.known else None

    @property
    def user_id(self) -> str | None:
        actor = self.actor
        return actor.id if actor else None

    @property
    def gone(self) -> bool:
        """Whether this socket has left: its connection is lost, or its namespace was closed."""
        return self.connection.gone or self.connection.sockets.get(self.namespace) is not self

    def send(self, packet: Packet) -> None:
        connection = self.connection
        if connection.gone or connection.is_cut:
            return
        if not connection.outgoing.send(packet):
            connection.cut()

    async def caught_up(self) -> None:
        """Wait until the client has read most of what was sent; cut it if that takes too long."""
        if not self.gone and not await self.connection.outgoing.caught_up():
            self.connection.cut()

    def cut(self, reason: str) -> None:
        self.connection.cut()

    def hold_lease(self, subject: str, lease_id: str) -> str:
        """Note a lease, one for each subject; returns its id, raises TooMany."""
        if subject not in self.leases and len(self.leases) >= LEASES_MAX:
            raise TooMany(details={"limit": LEASES_MAX})
        return self.leases.setdefault(subject, lease_id)

    def listen(self, streams: list[str]) -> None:
        """Note streams whose ephemeral events the socket gets, all or none; raises TooMany."""
        more = self.listens.union(streams)
        if len(more) > LISTENS_MAX:
            raise TooMany(details={"limit": LISTENS_MAX})
        self.listens = more
