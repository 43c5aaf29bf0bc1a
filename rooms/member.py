"""What a room knows of those who are in it."""

from typing import Protocol

from rooms.packets import Packet


class Member(Protocol):
    """One socket in one namespace."""

    namespace: str

    @property
    def user_id(self) -> str | None:
        """Whose it is; None for a visitor."""

    @property
    def gone(self) -> bool:
        """Whether it has left for good: nothing may be entered for it any more."""

    def send(self, packet: Packet) -> None:
        """Write `packet` after all that was sent before; never waits, never raises."""

    async def caught_up(self) -> None:
        """Wait, bounded in time, until it has read most of what it was sent; for replays."""

    def cut(self, reason: str) -> None:
        """End the connection: what it missed it gets back by number."""
