"""Applies control events on every instance: ended sessions, ended watching and changed roles.

They are events of an ordinary stream, so an instance recovers those that the bus loses. Applying an
event twice is harmless: an instance applies its own commits at once, and again from the stream.
"""

import msgspec

from handlers.kit.life import (
    CONTROL_NAMESPACE,
    CONTROL_ROOM,
    RolesChanged,
    SessionEnded,
    WatchingEnded,
)
from rooms.names import stream
from rooms.packets import Packet
from rooms.replay import Wanted
from rooms.rooms import Rooms
from server.connection_gate import ConnectionGate
from storage.events.log import Numbered

EVENTS = {event.NAME: event for event in (SessionEnded, RolesChanged, WatchingEnded)}
STREAM = stream(CONTROL_NAMESPACE, CONTROL_ROOM)


class Control:
    """The instance itself, as a member of the control stream."""

    namespace = CONTROL_NAMESPACE
    user_id = None
    gone = False

    def __init__(self, gate: ConnectionGate) -> None:
        self._gate = gate

    async def start(self, rooms: Rooms) -> None:
        """Follow the control stream from its head on."""
        await rooms.enter(self, lambda tx: [Wanted(STREAM)], lambda entered: None)

    def committed(self, event: Numbered) -> None:
        """Apply a control event that this instance committed, before its caller is answered."""
        if event.stream == STREAM:
            self.apply(event.name, event.data)

    def send(self, packet: Packet) -> None:
        """Apply a control event from the stream, whichever instance committed it."""
        _, _, body = packet.text.partition(b",")
        name, data, _ = msgspec.json.decode(body, type=tuple[str, msgspec.Raw, msgspec.Raw])
        self.apply(name, bytes(data).decode())

    def apply(self, name: str, data: str) -> None:
        event = msgspec.json.decode(data, type=EVENTS[name])
        if isinstance(event, SessionEnded):
            self._gate.session_ended(event.session_id, event.reason)
        elif isinstance(event, RolesChanged):
            self._gate.roles_changed(event.user_id, frozenset(event.roles))
        elif isinstance(event, WatchingEnded):
            self._gate.watching_ended(event.user_id, event.of_namespace, event.room)

    async def caught_up(self) -> None:
        """Return at once: `send` applies each event immediately."""

    def cut(self, reason: str) -> None:
        """Do nothing: there is no connection, and the rooms recover missed events."""
