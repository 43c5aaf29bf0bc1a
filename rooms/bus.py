"""How instances tell each other what they committed.

A bus is best effort: whatever it loses is found again by number in the database. With one instance
there is nobody to tell.
"""

from typing import Protocol

from rooms.packets import Packet
from storage.events.log import Numbered


class Hears(Protocol):
    """What a bus tells the rooms of this instance."""

    def arrived(self, event: Numbered) -> None:
        """Another instance committed it; heard twice is harmless."""

    def said_ephemerally(self, name: str, packet: Packet) -> None:
        """Somebody on another instance sent as an ephemeral event it in the stream `name`."""


class Bus(Protocol):
    @property
    def well(self) -> bool:
        """Whether what others say is heard: an instance that is deaf should get no clients."""

    async def start(self, rooms: Hears) -> None: ...

    async def stop(self) -> None: ...

    def publish(self, event: Numbered) -> None:
        """Tell the other instances; never waits."""

    def publish_ephemeral(self, stream: str, packet: Packet) -> None: ...

    async def subscribe(self, *streams: str) -> None:
        """Hear `streams` from here on; returns when that is certain, or cannot be now."""

    def unsubscribe(self, stream: str) -> None: ...


class InProcessBus:
    """One instance alone: its own commits reach its rooms directly."""

    well = True

    async def start(self, rooms: Hears) -> None:
        """Nothing to open."""

    async def stop(self) -> None:
        """Nothing to close."""

    def publish(self, event: Numbered) -> None:
        """Nobody else listens."""

    def publish_ephemeral(self, stream: str, packet: Packet) -> None:
        """Nobody else listens."""

    async def subscribe(self, *streams: str) -> None:
        """Local commits arrive without it."""

    def unsubscribe(self, stream: str) -> None:
        """Nothing was subscribed."""
