"""The streams and listeners on this instance, and the streams of each member.

Invariants:
- A stream is here only while it has a member or a joining member here.
- A stream is subscribed on the bus while it is here or has listeners here.
- The streams of a member are those that it is in or joins. Listening to the ephemeral events of a
  room does not count.
"""

import asyncio
from collections.abc import Set

from rooms.bus import Bus
from rooms.listeners import Listeners
from rooms.member import Member
from rooms.stream import Stream

NONE: frozenset[str] = frozenset()


class Directory:
    """Finds what is on this instance; subscribes and unsubscribes its streams on the bus."""

    def __init__(self, bus: Bus) -> None:
        self.streams: dict[str, Stream] = {}
        self.listeners: dict[str, Listeners] = {}
        self._bus = bus
        self._names_of: dict[Member, set[str]] = {}

    def count_members(self) -> int:
        return len(self._names_of)

    def names_of(self, member: Member) -> Set[str]:
        """The names of the streams that `member` is in or joins."""
        return self._names_of.get(member, NONE)

    def join(self, member: Member, name: str) -> tuple[Stream, bool]:
        """Put `member` among the joining members of a stream.

        Returns the stream, and whether it is new, so that the member must open it.
        """
        found = self.streams.get(name)
        is_new = found is None
        if found is None:
            found = Stream(name, asyncio.get_running_loop().create_future())
            self.streams[name] = found
        found.join(member)
        self._names_of.setdefault(member, set()).add(name)
        return found, is_new

    def leave(self, member: Member, name: str) -> None:
        """Take `member` out of a stream, whether it is in it, joins it, or neither."""
        self._forget(member, name)
        found = self.streams.get(name)
        if found is None:
            return
        found.drop(member)
        if found.empty:
            self.remove(found)
            if not found.opened.done():
                found.opened.set_result(None)

    def remove(self, found: Stream) -> None:
        """Remove a stream, and with it those who are still joining it."""
        del self.streams[found.name]
        self.unsubscribe_unused(found.name)
        for member in found.joining:
            self._forget(member, found.name)

    def is_subscribed(self, name: str) -> bool:
        return name in self.streams or name in self.listeners

    async def subscribe(self, *names: str) -> None:
        """Subscribe streams on the bus; returns once it has confirmed, or cannot confirm now."""
        await self._bus.subscribe(*names)

    def unsubscribe_unused(self, name: str) -> None:
        """Unsubscribe a stream, unless it is here or has listeners here."""
        if not self.is_subscribed(name):
            self._bus.unsubscribe(name)

    def _forget(self, member: Member, name: str) -> None:
        names = self._names_of.get(member)
        if names is not None:
            names.discard(name)
            if not names:
                del self._names_of[member]
