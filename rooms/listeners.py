"""Who only hears what is whispered in a room."""

from time import monotonic

from rooms.member import Member
from rooms.packets import Packet


class Listeners:
    """Who only hears a room's whispers, what each kind of whisper said last, and when."""

    __slots__ = ("members", "told", "told_at")

    def __init__(self) -> None:
        self.members: dict[Member, None] = {}
        self.told: dict[str, tuple[bytes, float]] = {}
        self.told_at = 0.0

    def tell(self, packet: Packet, skip: object | None = None) -> None:
        self.told.pop(packet.name, None)  # the last one said stands last
        self.told[packet.name] = (packet.text, monotonic())
        for member in self.members:
            if member is not skip:
                member.send(packet)

    def told_since(self, moment: float) -> list[bytes]:
        """What was said last of each kind, in order, as far as it was said at `moment` or later."""
        return [text for text, at in self.told.values() if at >= moment]
