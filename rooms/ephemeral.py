"""Ephemeral events, which are not stored: for the members of a room and for its listeners.

Invariants:
- Ephemeral events are best effort. Slow readers and joining members miss them, and so do other
  instances while the bus is away. `server/resync.py` then resends the latest state to listeners.
- A socket that is a member of a room and listens to it receives each event once.
- A listener first subscribes and then reads the present state, so it misses no change. Events that
  arrive before its answer is sent may be newer than the answer, so they are sent again after it.
- Nothing here waits while it sends.
"""

from collections.abc import Callable, Collection
from functools import partial
from time import monotonic
from typing import Any

from rooms.bus import Bus
from rooms.directory import Directory
from rooms.listeners import Listeners
from rooms.member import Member
from rooms.names import stream
from rooms.packets import Packet, ephemeral_packet


class EphemeralEvents:
    """Sends ephemeral events to the sockets of this instance and to the other instances."""

    def __init__(self, bus: Bus, directory: Directory) -> None:
        self._bus = bus
        self._directory = directory
        self._streams = directory.streams
        self._listeners = directory.listeners
        self._names_of: dict[Member, set[str]] = {}
        """The streams that each listener listens to."""

    # Events.

    def publish(
        self,
        namespace: str,
        room: str,
        name: str,
        data: Any,
        skip: object | None = None,
        hidden_from: Collection[str] = (),
    ) -> None:
        """Send an ephemeral event to a room, except to `skip` and the users in `hidden_from`."""
        packet = ephemeral_packet(namespace, room, name, data, hidden_from)
        self._bus.publish_ephemeral(stream(namespace, room), packet)
        self.arrived(stream(namespace, room), packet, skip)

    def arrived(self, name: str, packet: Packet, skip: object | None = None) -> None:
        """Send an ephemeral event of this or another instance to the sockets here."""
        found = self._streams.get(name)
        if found is not None:
            found.say(packet, skip)
        if (listeners := self._listeners.get(name)) is not None:
            listeners.last_at = monotonic()
            listeners.send(packet, skip, served=found.members if found is not None else ())

    def resync(self, name: str, packet: Packet, read_at: float) -> None:
        """Send a lost ephemeral event to the listeners here, unless they already received it.

        `read_at` is when its state was read, as `time.monotonic()`. If the listeners received
        another event after that, the state may be out of date and is not sent.
        """
        listeners = self._listeners.get(name)
        if listeners and listeners.last_at < read_at and not listeners.is_latest(packet):
            listeners.send(packet)

    # Listeners.

    async def listen(self, member: Member, names: list[str]) -> Callable[[], None]:
        """Let `member` receive the ephemeral events of streams, of all instances.

        Returns a function that sends the events of the meantime again. Call it once the member has
        its answer, which may be older than these events.
        """
        began = monotonic()
        if member.gone:
            return partial(self._send_again, member, [], began)
        fresh = [name for name in names if not self._directory.is_subscribed(name)]
        for name in names:
            self._listeners.setdefault(name, Listeners()).members[member] = None
            self._names_of.setdefault(member, set()).add(name)
        if fresh:
            await self._directory.subscribe(*fresh)
        return partial(self._send_again, member, names, began)

    def leave(self, member: Member, name: str) -> None:
        """Let `member` stop listening to a stream, if it listens to it."""
        listeners = self._listeners.get(name)
        if listeners is None or member not in listeners.members:
            return
        del listeners.members[member]
        self._names_of[member].discard(name)
        if not self._names_of[member]:
            del self._names_of[member]
        if not listeners.members:
            del self._listeners[name]
            self._directory.unsubscribe_unused(name)

    def leave_all(self, member: Member) -> None:
        for name in list(self._names_of.get(member, ())):
            self.leave(member, name)

    def _send_again(self, member: Member, names: list[str], since: float) -> None:
        for name in names:
            if (listeners := self._listeners.get(name)) is not None:
                listeners.send_again(member, since)
