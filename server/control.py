"""Facts that every instance follows: sessions that ended, roles that changed.

They are events of a stream like any other, so that what the bus loses is found by number. Applying
one twice changes nothing, so this instance applies its own commits at once and hears them again.
"""

import msgspec

from handlers.kit.life import CONTROL_NAMESPACE, CONTROL_ROOM, RolesChanged, SessionEnded
from rooms.names import stream
from rooms.packets import Packet
from rooms.replay import Wanted
from rooms.rooms import Rooms
from server.connection_gate import ConnectionGate
from storage.events.log import Numbered

EVENTS = {event.NAME: event for event in (SessionEnded, RolesChanged)}
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
        """A control event of this very instance: apply it before its caller is answered."""
        if event.stream == STREAM:
            self.apply(event.name, event.data)

    def send(self, packet: Packet) -> None:
        """A control event by its number, from wherever."""
        _, _, body = packet.text.partition(b",")
        name, data, _ = msgspec.json.decode(body, type=tuple[str, msgspec.Raw, msgspec.Raw])
        self.apply(name, bytes(data).decode())

    def apply(self, name: str, data: str) -> None:
        event = msgspec.json.decode(data, type=EVENTS[name])
        if isinstance(event, SessionEnded):
            self._gate.session_ended(event.session_id, event.reason)
        elif isinstance(event, RolesChanged):
            self._gate.roles_changed(event.user_id, frozenset(event.roles))

    async def caught_up(self) -> None:
        """It reads at once."""

    def cut(self, reason: str) -> None:
        """There is no connection to cut: the next number or the sweep finds what was missed."""
