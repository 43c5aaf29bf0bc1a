"""Who may come in, which rooms they enter, and what follows when they leave or must go.

Invariants:
- `admit` decides for a whole connection once: the session of its first token is the session of all
  its namespaces. Roles are read from the database at that moment, and follow later changes.
- A person's presence is told by one task a person, which looks at what is so now: arrivals and
  departures cannot overtake each other, and a reconnect inside the grace tells nothing.
- A session that ended is ended here within a second: by its own commit, or by its event's number in
  the control stream, which this instance follows like any member.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Any

import msgspec
import structlog

from handlers.kit.context import Context
from handlers.kit.domain import Domain
from handlers.kit.errors import RateLimited, Unavailable
from handlers.kit.kernel import Actor, Kernel, Origin
from handlers.kit.registry import Registry
from handlers.kit.rules import KitRules
from handlers.kit.transaction import Transaction
from rooms.names import stream
from rooms.packets import notice_packet
from rooms.replay import Entered, Wanted
from rooms.rooms import Rooms, room_of
from rooms.tasks import Tasks
from server.admission import Admission, SessionRevoked, TokenMissing, UnknownNamespace
from server.devices import Devices
from server.limits import Limits
from server.session import Connection, Entry, People, Since, Socket, since_of
from storage.engine.database import Queries, StorageUnavailable

log = structlog.get_logger("connection_gate")

SYNCED_ROOMS_MAX = 200
RETRY_AFTER_S = 1.0
ENDED_KEPT_MAX = 10_000


class ConnectionGate:
    """Decides which connections may enter which rooms; one an instance."""

    def __init__(
        self,
        kernel: Kernel,
        registry: Registry,
        rooms: Rooms,
        limits: Limits,
        admission: Admission,
        people: People,
        devices: Devices,
    ) -> None:
        self.people = people
        self.epoch = ""
        self.end: Callable[[Connection], Coroutine[Any, Any, None]] | None = None
        self._kernel = kernel
        self._namespaces = registry.namespaces
        self._domains = registry.domains
        self._rooms = rooms
        self._limits = limits
        self._admission = admission
        self._devices = devices
        self._telling: set[str] = set()
        self._left_at: dict[str, float] = {}
        self._tasks = Tasks()
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._roles: OrderedDict[str, tuple[float, frozenset[str]]] = OrderedDict()
        self._present_as: dict[str, str] = {}
        self._closing = False

    # Coming in.

    async def admit(self, connection: Connection, namespace: str, auth: dict[str, Any]) -> bool:
        """Whether this socket is a signed-in person's (else a visitor's); raises Refusals."""
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
        if actor.session_id in self._ended:  # while its token was being read
            self._devices.changed(actor.id)
            raise SessionRevoked
        changed_at, roles = self._roles.get(actor.id, (0.0, actor.roles))
        if changed_at >= began:  # likewise
            actor = msgspec.structs.replace(actor, roles=roles)
        connection.actor = actor
        if self.people.add(actor, connection):
            self._tell_presence(actor)

    async def let_in(self, socket: Socket, auth: dict[str, Any]) -> Entry:
        """Enter the rooms of a socket's namespace: replay, `synced`, then live."""
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

    # Going out.

    def left(self, socket: Socket) -> None:
        """A socket is gone: it hears nothing more."""
        self._rooms.leave_all(socket)

    def disconnect(self, socket: Socket) -> None:
        """Nothing runs for a socket that is gone; its leases end, and domains hear of each."""
        domain = self._namespaces.get(socket.namespace)
        if domain is not None and domain.disconnect is not None and not self._closing:
            for subject, lease_id in list(socket.leases.items()):
                self._tasks.spawn(self._disconnect(domain, socket, subject, lease_id))

    async def _disconnect(
        self, domain: Domain, socket: Socket, subject: str, lease_id: str
    ) -> None:
        """What was left must not count on, even if the database is away just now.

        It counts up to the last sign of life, not up to the moment when the silence was noticed.
        """
        at = self._kernel.clock.now() - timedelta(seconds=socket.connection.silent_s)
        context = self._context(socket.connection.actor, socket.connection)
        assert domain.disconnect is not None
        tell = partial(domain.disconnect, context, subject, lease_id, at)
        await self._until_told(tell, "disconnect")

    def gone(self, connection: Connection) -> None:
        """A connection is gone."""
        actor = connection.actor
        if actor is None:
            return
        self._devices.changed(actor.id)
        if self.people.remove(connection) and not self._closing:
            self._left_at[actor.id] = monotonic()
            self._tell_presence(actor)

    def session_ended(self, session_id: str, reason: str) -> None:
        """Tell and end, once, every connection of a session, also those just being admitted."""
        if session_id in self._ended:  # its own commit was heard before its number came
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
        """Every connection of a person knows it at once, also those just being admitted."""
        self._roles[user_id] = (monotonic(), roles)
        self._roles.move_to_end(user_id)
        if len(self._roles) > ENDED_KEPT_MAX:
            self._roles.popitem(last=False)
        self.people.set_roles(user_id, roles)

    async def stop(self) -> None:
        """No more departures are told: the instance's own end tells them all."""
        self._closing = True
        await self._tasks.end()

    # Presence.

    def _tell_presence(self, actor: Actor) -> None:
        if actor.id not in self._telling:
            self._telling.add(actor.id)
            self._tasks.spawn(self._keep_presence(actor))

    async def _keep_presence(self, actor: Actor) -> None:
        try:
            await self._follow_presence(actor)
        finally:
            # Not in a done callback: an arrival in between would find a task that looks no more.
            self._telling.discard(actor.id)
            self._left_at.pop(actor.id, None)

    async def _follow_presence(self, actor: Actor) -> None:
        """Tell the domains that the person is there; later, after the grace, that they are not."""
        if self.people.count(actor.id):
            await self._tell_first(actor)
        while not self.people.count(actor.id):
            if await self._came_back(actor):
                if self._present_as.get(actor.id) != self._kernel.instance_id:
                    await self._tell_first(actor)  # this instance was taken for dead meanwhile
                continue  # they may have left while it was told
            self._present_as.pop(actor.id, None)
            await self._tell(actor, "last_device")
            if not self.people.count(actor.id):
                return
            await self._tell_first(actor)

    async def _tell_first(self, actor: Actor) -> None:
        self._present_as[actor.id] = self._kernel.instance_id
        await self._tell(actor, "first_device")

    async def _came_back(self, actor: Actor) -> bool:
        """Wait for the grace after the last departure, however often they leave meanwhile."""
        grace_s = self._kernel.rules.of(KitRules).presence_grace_s
        rest_s = grace_s
        while rest_s > 0:
            await asyncio.sleep(rest_s)
            rest_s = self._left_at.get(actor.id, 0.0) + grace_s - monotonic()
        return bool(self.people.count(actor.id))

    async def _tell(self, actor: Actor, hook: str) -> None:
        for domain in self._domains:
            run = getattr(domain, hook)
            if run is not None:
                await self._until_told(partial(run, self._context(actor, None)), hook)

    async def _until_told(self, tell: Callable[[], Awaitable[None]], what: str) -> None:
        """Tell it until the database takes it."""
        while True:
            try:
                return await tell()
            except StorageUnavailable as error:
                log.warning("not_told", what=what, error=str(error))
                await asyncio.sleep(RETRY_AFTER_S)
            except Exception as raised:
                log.error("telling_failed", what=what, error=type(raised).__name__)
                return None

    def _context(self, actor: Actor | None, connection: Connection | None) -> Context:
        return Context(self._kernel, actor, connection.origin if connection else Origin())


def wanted_streams(
    tx: Transaction, domain: Domain, actor: Actor | None, since: Since
) -> list[Wanted]:
    """A person's rooms in a domain, then those that the client names and may (still) watch."""
    namespace = domain.namespace or ""
    own = domain.rooms_of(tx, actor) if actor is not None else []
    wanted = [Wanted(stream(namespace, one.room), one.from_seq, since.of(one.room)) for one in own]
    known = {one.room for one in own}
    for room in sorted(set(since.numbers) - known)[:SYNCED_ROOMS_MAX]:
        from_seq = domain.may_watch(tx, actor, room)
        if from_seq is not None:
            wanted.append(Wanted(stream(namespace, room), from_seq, since.of(room)))
    return wanted
