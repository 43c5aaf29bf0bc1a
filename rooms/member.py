"""The interface through which a room uses its members."""

from typing import Protocol

from rooms.packets import Packet


class Member(Protocol):
    """One socket in one namespace."""

    namespace: str

    @property
    def user_id(self) -> str | None:
        """The user's id; None for a visitor."""

    @property
    def gone(self) -> bool:
        """Whether the socket has left for good: it must not join anything any more."""

    def send(self, packet: Packet) -> None:
        """Queue `packet` behind everything sent before; never waits, never raises."""

    async def caught_up(self) -> None:
        """Wait, for a bounded time, until the client has read most of what was sent."""

    def cut(self, reason: str) -> None:
        """Close the connection; a client that returns gets what it missed, by sequence number."""
