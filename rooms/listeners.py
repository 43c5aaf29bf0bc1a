"""The members that receive only the ephemeral events of a room."""

from time import monotonic

from rooms.member import Member
from rooms.packets import Packet


class Listeners:
    """Members that get only a room's ephemeral events, with the latest event of each name."""

    __slots__ = ("members", "told", "told_at")

    def __init__(self) -> None:
        self.members: dict[Member, None] = {}
        self.told: dict[str, tuple[Packet, float]] = {}
        self.told_at = 0.0

    def tell(self, packet: Packet, skip: object | None = None) -> None:
        self.told.pop(packet.name, None)  # keeps the dict in the order of sending
        self.told[packet.name] = (packet, monotonic())
        for member in self.members:
            if member is not skip and member.user_id not in packet.hidden_from:
                member.send(packet)

    def said_last(self, packet: Packet) -> bool:
        """Whether the latest ephemeral event of this name is identical to `packet`."""
        last = self.told.get(packet.name)
        return last is not None and last[0].text == packet.text

    def say_again(self, member: Member, since: float) -> None:
        """Send a member the latest event of each name, in order, if it was sent at `since` or
        later."""
        if member in self.members:
            for packet, at in self.told.values():
                if at >= since and member.user_id not in packet.hidden_from:
                    member.send(Packet(packet.text, shed=True))
