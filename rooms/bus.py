"""Passes committed events between instances.

A bus is best effort: the rooms read every event that it loses from the database, by sequence
number. A single instance needs no other instances and uses `InProcessBus`.
"""

from typing import Protocol

from rooms.packets import Packet
from storage.events.log import Numbered


class BusListener(Protocol):
    """The rooms of this instance, which receive what a bus delivers."""

    def arrived(self, event: Numbered) -> None:
        """Take an event that another instance committed; a repeated event is harmless."""

    def ephemeral_arrived(self, name: str, packet: Packet) -> None:
        """Take an ephemeral event that another instance sent in the stream `name`."""


class Bus(Protocol):
    @property
    def well(self) -> bool:
        """Whether events of other instances arrive here; if not, this instance should get no
        clients."""

    async def start(self, rooms: BusListener) -> None: ...

    async def stop(self) -> None: ...

    def publish(self, event: Numbered) -> None:
        """Send an event to the other instances; never waits."""

    def publish_ephemeral(self, stream: str, packet: Packet) -> None: ...

    async def subscribe(self, *streams: str) -> None:
        """Receive the events of `streams` from now on.

        Returns once the subscription is confirmed, or when it cannot be confirmed now.
        """

    def unsubscribe(self, stream: str) -> None: ...


class InProcessBus:
    """The bus of a single instance, whose own commits reach its rooms directly."""

    well = True

    async def start(self, rooms: BusListener) -> None:
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
