"""Admits connections, lets their sockets into rooms, and ends sessions.

Invariants:
- A connection has one session: that of the token of its first namespace. The tokens of its other
  namespaces must belong to the same session. Roles are read from the database when the session is
  identified, and follow later changes.
- A session that ended is ended here within a second: by the commit of this instance, or by the
  event in the control stream, of which this instance is a member (`server/control.py`).
- A session that ends, or roles that change, while a token is being read also apply to the
  connection of that token.
"""

from collections import OrderedDict
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any

import msgspec
import structlog

from handlers.kit.context import Context
from handlers.kit.domain import Domain
from handlers.kit.errors import RateLimited, Unavailable
from handlers.kit.kernel import Actor, Kernel
from handlers.kit.registry import Registry
from handlers.kit.transaction import Transaction
from rooms.names import stream
from rooms.packets import notice_packet
from rooms.replay import Entered, Wanted
from rooms.rooms import Rooms, room_of
from rooms.tasks import Tasks
from server.admission import Admission, SessionRevoked, TokenMissing, UnknownNamespace
from server.device_presence import DevicePresence
from server.devices import Devices
from server.domain_hooks import DomainHooks
from server.people import People
from server.session import Connection, Entry, Socket
from server.since import Since, since_of
from storage.engine.database import Queries, StorageUnavailable

log = structlog.get_logger("connection_gate")

SYNCED_ROOMS_MAX = 200
ENDED_KEPT_MAX = 10_000


class ConnectionGate:
    """Decides which connections may enter which rooms of this instance."""

    def __init__(
        self,
        kernel: Kernel,
        registry: Registry,
        rooms: Rooms,
        admission: Admission,
        people: People,
        devices: Devices,
    ) -> None:
        self.people = people
        self.epoch = ""
        self.end: Callable[[Connection], Coroutine[Any, Any, None]] | None = None
        self._kernel = kernel
        self._namespaces = registry.namespaces
        self._rooms = rooms
        self._admission = admission
        self._devices = devices
        self._hooks = DomainHooks(kernel, registry)
        self.presence = DevicePresence(kernel, people, self._hooks)
        self._tasks = Tasks()
        self._ended: OrderedDict[str, None] = OrderedDict()
        """The latest sessions that ended."""
        self._roles: OrderedDict[str, tuple[float, frozenset[str]]] = OrderedDict()
        """The latest changes of roles by user, with their times as `time.monotonic()`."""
        self._closing = False

    # Entering.

    async def admit(self, connection: Connection, namespace: str, auth: dict[str, Any]) -> bool:
        """Admit a connection to a namespace; raises Refusals.

        Returns whether the socket belongs to a signed-in user. Otherwise it is a visitor's.
        """
        if self._closing:
            raise Unavailable(retry_after_s=1)
        domain = self._namespaces.get(namespace)
        if domain is None:
            raise UnknownNamespace
        token = auth.get("token")
        if token is None and domain.visitors:
            return False
        if not isinstance(token, str) or not token:
            raise TokenMissing
        await self._identify(connection, token)
        return True

    async def _identify(self, connection: Connection, token: str) -> None:
        session_id = connection.actor.session_id if connection.actor else None
        began = monotonic()
        actor = await self._admission.identify(token, session_id)
        if connection.actor is not None:
            return
        if not await self._devices.admits(actor.id):
            raise RateLimited("Too many devices are connected.", retry_after_s=10)
        if actor.session_id in self._ended:  # it ended while its token was read
            self._devices.changed(actor.id)
            raise SessionRevoked
        changed_at, roles = self._roles.get(actor.id, (0.0, actor.roles))
        if changed_at >= began:  # they changed meanwhile
            actor = msgspec.structs.replace(actor, roles=roles)
        connection.actor = actor
        if self.people.add(actor, connection):
            self.presence.connected(actor)

    async def let_in(self, socket: Socket, auth: dict[str, Any]) -> Entry:
        """Let a socket into the rooms of its namespace: missed events, `synced`, then new events.

        Raises Unavailable if the rooms cannot be read.
        """
        domain, connection = self._namespaces[socket.namespace], socket.connection
        since = since_of(auth, self.epoch)
        actor, entry = socket.actor, Entry(0, 0)

        def wants(queries: Queries) -> list[Wanted]:
            tx = Transaction(queries, self._kernel, actor, connection.origin)
            return wanted_streams(tx, domain, actor, since)

        def greet(entered: dict[str, Entered]) -> None:
            nonlocal entry
            entry = Entry(len(entered), sum(one.behind for one in entered.values()))
            synced = self._synced(entered, set(since.numbers))
            socket.send(notice_packet(socket.namespace, "synced", synced))

        try:
            await self._rooms.enter(socket, wants, greet)
            if actor is not None and domain.arrival is not None:
                await domain.arrival(Context(self._kernel, actor, connection.origin, socket=socket))
        except StorageUnavailable as error:
            log.warning("rooms_not_read", error=str(error))
            raise Unavailable from error
        return entry

    def _synced(self, entered: dict[str, Entered], named: set[str]) -> dict[str, Any]:
        newest = list(entered.items())[:SYNCED_ROOMS_MAX]
        listed = dict(newest) | {
            n: entry for n, entry in entered.items() if room_of(n) in named or not entry.recovered
        }
        rooms = {
            room_of(n): {"seq": entry.head, "recovered": entry.recovered}
            for n, entry in listed.items()
        }
        return {"epoch": self.epoch, "rooms": rooms}

    # Leaving.

    def left(self, socket: Socket) -> None:
        """A socket is closed: it leaves its rooms."""
        self._rooms.leave_all(socket)

    def disconnect(self, socket: Socket) -> None:
        """A socket is closed and none of its commands runs any more: its leases end."""
        if not self._closing:
            self._hooks.end_leases(socket)

    def gone(self, connection: Connection) -> None:
        """A connection is lost or closed."""
        actor = connection.actor
        if actor is None:
            return
        self._devices.changed(actor.id)
        if self.people.remove(connection):
            self.presence.disconnected(actor)

    def session_ended(self, session_id: str, reason: str) -> None:
        """Notify and end every connection of a session, also those being admitted now."""
        if session_id in self._ended:  # the commit and the control stream both report it
            return
        self._ended[session_id] = None
        if len(self._ended) > ENDED_KEPT_MAX:
            self._ended.popitem(last=False)
        for connection in self.people.of_session(session_id):
            for socket in connection.sockets.values():
                notice = {"session_id": session_id, "reason": reason}
                socket.send(notice_packet(socket.namespace, "session_ended", notice))
                socket.known = False
                self._rooms.leave_all(socket)
            if self.end is not None:
                self._tasks.spawn(self.end(connection))

    def roles_changed(self, user_id: str, roles: frozenset[str]) -> None:
        """Set the roles of every connection of a user, also of those being admitted now."""
        self._roles[user_id] = (monotonic(), roles)
        self._roles.move_to_end(user_id)
        if len(self._roles) > ENDED_KEPT_MAX:
            self._roles.popitem(last=False)
        self.people.set_roles(user_id, roles)

    def watching_ended(self, user_id: str, namespace: str, room: str) -> None:
        """Remove a user's sockets from a room that they may no longer watch."""
        name = stream(namespace, room)
        for connection in self.people.of_person(user_id):
            socket = connection.sockets.get(namespace)
            if socket is not None:
                socket.listens.discard(name)
                self._rooms.leave(socket, name)

    async def stop(self) -> None:
        """Admit nobody any more, and report no departures.

        The end of this instance ends the presence and the leases of all its connections.
        """
        self._closing = True
        await self.presence.stop()
        await self._hooks.stop()
        await self._tasks.end()


def wanted_streams(
    tx: Transaction, domain: Domain, actor: Actor | None, since: Since
) -> list[Wanted]:
    """A user's rooms in a domain, then the rooms that the client names and may still watch."""
    namespace = domain.namespace or ""
    own = domain.rooms_of(tx, actor) if actor is not None else []
    wanted = [Wanted(stream(namespace, one.room), one.from_seq, since.of(one.room)) for one in own]
    known = {one.room for one in own}
    for room in sorted(set(since.numbers) - known)[:SYNCED_ROOMS_MAX]:
        from_seq = domain.may_watch(tx, actor, room)
        if from_seq is not None:
            wanted.append(Wanted(stream(namespace, room), from_seq, since.of(room)))
    return wanted
