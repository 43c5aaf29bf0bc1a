"""The sequence numbers of a device's streams: those it has, and those it must receive next.

Invariants:
- On one connection, a stream's numbers increase by one. They start after `since`, after the number
  in `synced`, or with the event that adds the user to the room. Anything else is a violation.
- A device displays a number once, and drops any that is not above the last. Real clients do the
  same, so an error on the wire may not show on the screen, and the other way round.
"""

from collections.abc import Callable
from typing import Any

from tests.chaos.records import Stream

Found = Callable[[str, str], None]


class Numbers:
    """The numbers of one device, over all its connections."""

    def __init__(self, found: Found) -> None:
        self.last: dict[Stream, int] = {}
        self._found = found
        self._next: dict[Stream, int] = {}
        self._epoch: str | None = None

    def begin(self) -> None:
        """Start a new connection, which has received nothing yet."""
        self._next.clear()

    def since(self, namespace: str) -> dict[str, Any]:
        """The `since` to send when entering a namespace."""
        mine = {room: seq for (where, room), seq in self.last.items() if where == namespace}
        for room, seq in mine.items():
            self._next[namespace, room] = seq + 1
        return {"since": mine, "epoch": self._epoch} if mine and self._epoch else {}

    def synced(self, namespace: str, said: dict[str, Any]) -> tuple[list[Stream], list[Stream]]:
        """Process a `synced`; returns the streams to fetch, and those the user no longer has."""
        self._epoch = said["epoch"]
        fetch = []
        for room, entry in said["rooms"].items():
            stream = (namespace, room)
            seq = entry["seq"]
            asked = stream in self.last
            if not asked or not entry["recovered"]:
                fetch.append(stream)
            elif self._next[stream] != seq + 1:
                self._found(
                    "lost on the wire",
                    f"{stream}: synced as recovered at {seq}, but the replay ended before "
                    f"{self._next[stream]}",
                )
            self.last[stream], self._next[stream] = seq, seq + 1
        gone = [
            stream
            for stream in self.last
            if stream[0] == namespace and stream[1] not in said["rooms"]
        ]
        for stream in gone:
            self.out(stream)
        return fetch, gone

    def take(self, stream: Stream, seq: int, opens: bool) -> bool:
        """Process an event's number; returns whether to display the event.

        `opens` means that the event adds the user to the room.
        """
        awaited = self._next.get(stream)
        if awaited is None and not opens:
            self._found("lost on the wire", f"{stream} began in the middle, with {seq}")
        elif awaited is not None and seq > awaited:
            self._found("lost on the wire", f"{stream}: {seq} came after {awaited - 1}")
        elif awaited is not None and seq < awaited:
            self._found("twice on the wire", f"{stream}: {seq} came after {awaited - 1}")
        self._next[stream] = seq + 1
        if seq <= self.last.get(stream, 0):
            return False
        self.last[stream] = seq
        return True

    def join(self, stream: Stream, seq: int) -> None:
        """Note an answered watch: events after this number will arrive."""
        self._next[stream] = seq + 1
        self.last[stream] = max(seq, self.last.get(stream, 0))

    def fetched(self, stream: Stream, seq: int) -> None:
        """Note a fetched state, which includes everything up to this number."""
        self.last[stream] = max(seq, self.last.get(stream, 0))

    def out(self, stream: Stream) -> None:
        """Note that the user no longer has the room."""
        self.last.pop(stream, None)
        self._next.pop(stream, None)
