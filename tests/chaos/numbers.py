"""The numbers of a device's streams: what it has, and what its connection must bring next.

Invariants:
- On one connection a stream's numbers rise by one, beginning after `since`, after the number in
  `synced`, or with the event that lets the person into the room. Anything else is the server's
  fault and is told.
- A device shows a number once: whatever is not above the last one is dropped. This is what real
  clients do, so a fault on the wire need not be one on the screen, and the other way round.
"""

from collections.abc import Callable
from typing import Any

from tests.chaos.records import Stream

Found = Callable[[str, str], None]


class Numbers:
    """Of one device, for as long as it lives."""

    def __init__(self, found: Found) -> None:
        self.last: dict[Stream, int] = {}
        self._found = found
        self._next: dict[Stream, int] = {}
        self._epoch: str | None = None

    def begin(self) -> None:
        """A new connection: nothing was heard by it yet."""
        self._next.clear()

    def since(self, namespace: str) -> dict[str, Any]:
        """What to say when entering a namespace."""
        mine = {room: seq for (where, room), seq in self.last.items() if where == namespace}
        for room, seq in mine.items():
            self._next[namespace, room] = seq + 1
        return {"since": mine, "epoch": self._epoch} if mine and self._epoch else {}

    def synced(self, namespace: str, said: dict[str, Any]) -> tuple[list[Stream], list[Stream]]:
        """The streams whose state must be fetched, and those that are its person's no more."""
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
        """Take in an event's number; whether it is to be shown. `opens`: it lets the person in."""
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
        """A watch was answered: what comes after this number will be heard."""
        self._next[stream] = seq + 1
        self.last[stream] = max(seq, self.last.get(stream, 0))

    def fetched(self, stream: Stream, seq: int) -> None:
        """A state that reflects this number was fetched."""
        self.last[stream] = max(seq, self.last.get(stream, 0))

    def out(self, stream: Stream) -> None:
        """The room is not this person's any more."""
        self.last.pop(stream, None)
        self._next.pop(stream, None)
