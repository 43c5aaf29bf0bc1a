"""One stream on this instance: its cursor, its members, and those who are just joining.

Invariants:
- Numbers are written out one after the other: `cursor` is the last one written. A lower or equal
  number is dropped (heard twice), a higher one waits in `ahead` until those before it came.
- A joining member hears nothing before it is released; what is written meanwhile is held for it.
  From its release on it hears exactly the numbers above its floor, in order.
- A new stream is opened by its first joiner's snapshot; other joiners read theirs after that, so
  nothing can fall between the cursor and a floor.
- A member who leaves at number n has heard n and hears nothing after it.
"""

import asyncio
from collections.abc import Iterator

from rooms.member import Member
from rooms.packets import Packet, event_packet
from storage.events import Numbered

AHEAD_MAX = 1_000
HELD_MAX = 2_000


class Joining:
    """A member on its way in: a replay is being read and sent to it."""

    __slots__ = ("floor", "held", "last", "released")

    def __init__(self) -> None:
        self.last: int | None = None
        """The number at which it was put out again, while it was still joining."""
        self.floor: int | None = None
        self.held: list[tuple[int, Packet]] = []
        self.released = False


class Stream:
    """The local side of one stream."""

    __slots__ = ("ahead", "cursor", "filling", "joining", "left", "members", "name", "opened")

    def __init__(self, name: str, opened: asyncio.Future[None]) -> None:
        self.name = name
        self.opened = opened
        self.cursor: int | None = None
        self.members: dict[Member, None] = {}
        self.joining: dict[Member, Joining] = {}
        self.ahead: dict[int, Numbered] = {}
        self.left: list[Member] = []
        self.filling = False

    @property
    def empty(self) -> bool:
        return not self.members and not self.joining

    @property
    def gap(self) -> bool:
        """Whether something came whose predecessors did not."""
        return self.cursor is not None and bool(self.ahead)

    def open_at(self, head: int) -> list[Numbered]:
        """Set the cursor of a new stream; gives what is written out by that."""
        self.cursor = head
        self.ahead = {seq: event for seq, event in self.ahead.items() if seq > head}
        if not self.opened.done():
            self.opened.set_result(None)
        return self._next_ones()

    def arrived(self, event: Numbered) -> list[Numbered]:
        """Take in `event`; gives those whose turn it is now, already written out, in order."""
        if self.cursor is not None and event.seq <= self.cursor:
            return []
        if len(self.ahead) < AHEAD_MAX:  # beyond it the database fills the gap
            self.ahead[event.seq] = event
        return [] if self.cursor is None else self._next_ones()

    def join(self, member: Member) -> Joining:
        joining = self.joining[member] = Joining()
        return joining

    def release(self, member: Member) -> None:
        """The member's replay is sent: let it hear what was held, then what comes."""
        joining = self.joining.get(member)
        if joining is None:
            return
        joining.released = True
        for seq, packet in joining.held:
            if seq > (joining.floor or 0):
                member.send(packet)
        joining.held.clear()
        if joining.last is None:
            self._promote(member, joining)
        else:
            self._put_out(member)

    def drop(self, member: Member) -> None:
        self.members.pop(member, None)
        self.joining.pop(member, None)

    def of_user(self, user_id: str) -> list[Member]:
        """The members here who are this person's sockets."""
        return [m for m in (*self.members, *self.joining) if m.user_id == user_id]

    def say(self, packet: Packet, skip: object | None) -> None:
        """A whisper to all who are in (of which they may be joining, and then miss it)."""
        for member in self.members:
            if member is not skip:
                member.send(packet)

    def _next_ones(self) -> list[Numbered]:
        return list(self._write_out())

    def _write_out(self) -> Iterator[Numbered]:
        while (event := self.ahead.pop((self.cursor or 0) + 1, None)) is not None:
            self._write(event)
            yield event

    def _write(self, event: Numbered) -> None:
        packet = event_packet(event)
        self.cursor = event.seq
        for member in self.members:
            member.send(packet)
        for member, joining in list(self.joining.items()):
            self._write_to_joining(member, joining, event.seq, packet)
        for change in event.membership:
            if change.stream == self.name and not change.joins:
                self._drop_user(change.user_id, event.seq)

    def _drop_user(self, user_id: str, seq: int) -> None:
        for member in self.of_user(user_id):
            joining = self.joining.get(member)
            if joining is not None and not joining.released:
                joining.last = seq  # it is put out once it has heard what was held for it
            else:
                self._put_out(member)

    def _put_out(self, member: Member) -> None:
        self.drop(member)
        self.left.append(member)

    def _write_to_joining(self, member: Member, joining: Joining, seq: int, packet: Packet) -> None:
        if joining.last is not None:
            return
        if not joining.released:
            if len(joining.held) >= HELD_MAX:
                member.cut("too much to hear while joining")
            else:
                joining.held.append((seq, packet))
            return
        if seq > (joining.floor or 0):
            member.send(packet)
        self._promote(member, joining)

    def _promote(self, member: Member, joining: Joining) -> None:
        if self.cursor is not None and self.cursor >= (joining.floor or 0):
            del self.joining[member]
            self.members[member] = None
