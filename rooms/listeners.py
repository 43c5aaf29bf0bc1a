"""The members that receive only the ephemeral events of a room."""

from collections.abc import Container
from time import monotonic

from rooms.member import Member
from rooms.packets import Packet


class Listeners:
    """The listeners of one stream, with the latest ephemeral event of each name."""

    __slots__ = ("last_at", "latest", "members")

    def __init__(self) -> None:
        self.members: dict[Member, None] = {}
        self.latest: dict[str, tuple[Packet, float]] = {}
        """By name, in the order of sending, each with its time as `time.monotonic()`."""
        self.last_at = 0.0
        """When an ephemeral event last arrived; a resync does not count."""

    def send(
        self, packet: Packet, skip: object | None = None, served: Container[Member] = ()
    ) -> None:
        """Send `packet` to all listeners except `skip` and those in `served`, who have it."""
        self.latest.pop(packet.name, None)  # keeps the dict in the order of sending
        self.latest[packet.name] = (packet, monotonic())
        for member in self.members:
            if member is skip or member in served:
                continue
            if member.user_id not in packet.hidden_from:
                member.send(packet)

    def is_latest(self, packet: Packet) -> bool:
        """Whether the latest ephemeral event of this name is identical to `packet`."""
        last = self.latest.get(packet.name)
        return last is not None and last[0].text == packet.text

    def send_again(self, member: Member, since: float) -> None:
        """Send a member the latest event of each name, in order, if it was sent at `since` or
        later."""
        if member in self.members:
            for packet, at in self.latest.values():
                if at >= since and member.user_id not in packet.hidden_from:
                    member.send(Packet(packet.text, shed=True))
