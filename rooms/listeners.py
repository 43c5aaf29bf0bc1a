"""Who only hears what is whispered in a room."""

from rooms.member import Member
from rooms.packets import Packet


class Listeners:
    """Who only hears a room's whispers, what each kind of whisper said last, and when."""

    __slots__ = ("members", "told", "told_at")

    def __init__(self) -> None:
        self.members: dict[Member, None] = {}
        self.told: dict[str, bytes] = {}
        self.told_at = 0.0

    def tell(self, packet: Packet, skip: object | None = None) -> None:
        self.told[packet.name] = packet.text
        for member in self.members:
            if member is not skip:
                member.send(packet)
