"""One stream on this instance: its cursor, its members, and those who are just joining.

Invariants:
- Numbers are written out one after the other: `cursor` is the last one written. A lower or equal
  number is dropped (heard twice), a higher one waits in `ahead` until those before it came.
- A joining member hears nothing before it is released; what is written meanwhile is held for it.
  From its release on it hears exactly the numbers above its floor, in order.
- A new stream is opened by its first joiner's snapshot; other joiners read theirs after that, so
  nothing can fall between the cursor and a floor.
- A member who is put out by number n has heard n and hears nothing after it. What lies below its
  floor was in its snapshot: it puts nobody out, and lets nobody in elsewhere.
- Who is let in again before it heard that it was put out (rooms are not in step with each other)
  is noted in `again`, each time, and enters anew once it is out, for one stay after the other.
"""

import asyncio
from collections.abc import Iterator

from rooms.member import Member
from rooms.packets import Packet, event_packet
from storage.events.log import Membership, Numbered

AHEAD_MAX = 1_000
HELD_MAX = 2_000


class Joining:
    """A member on its way in: a replay is being read and sent to it."""

    __slots__ = ("floor", "held")

    def __init__(self) -> None:
        self.floor: int | None = None
        """The number up to which its snapshot told it everything; None before its release."""
        self.held: list[tuple[Numbered, Packet]] = []


class Stream:
    """The local side of one stream."""

    __slots__ = (
        "again",
        "ahead",
        "cursor",
        "filling",
        "joining",
        "left",
        "members",
        "name",
        "opened",
    )

    def __init__(self, name: str, opened: asyncio.Future[None]) -> None:
        self.name = name
        self.opened = opened
        self.cursor: int | None = None
        self.members: dict[Member, int] = {}
        """Who is in, and the number up to which a snapshot told each everything."""
        self.joining: dict[Member, Joining] = {}
        self.ahead: dict[int, Numbered] = {}
        self.left: list[tuple[Member, int]] = []
        """Who was put out, by which number, and is still to be told to the rooms."""
        self.again: dict[Member, list[Membership]] = {}
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

    def release(self, member: Member, floor: int) -> list[Numbered]:
        """The member's snapshot up to `floor` is sent: let it hear what was held, then what comes.

        It is put out at once when what was held says so. Gives what it heard.
        """
        joining = self.joining.get(member)
        if joining is None:
            return []
        joining.floor = floor
        heard: list[Numbered] = []
        for event, packet in joining.held:
            if event.seq <= floor:
                continue
            member.send(packet)
            heard.append(event)
            if puts_out(event, member.user_id):
                self._put_out(member, event.seq)
                return heard
        joining.held.clear()
        self._promote(member, joining)
        return heard

    def drop(self, member: Member) -> None:
        self.members.pop(member, None)
        self.joining.pop(member, None)
        self.again.pop(member, None)

    def hearers(self, user_id: str, seq: int) -> list[Member]:
        """This person's sockets that heard number `seq` here, and not by their snapshot."""
        return [m for m, floor in self.members.items() if m.user_id == user_id and floor < seq]

    def say(self, packet: Packet, skip: object | None) -> None:
        """An ephemeral event to all who are in (of which they may be joining, and then miss it)."""
        for member in self.members:
            if member is not skip and member.user_id not in packet.hidden_from:
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
        for change in event.membership:
            if change.stream == self.name and not change.joins:
                for member in [m for m in self.members if m.user_id == change.user_id]:
                    self._put_out(member, event.seq)
        for member, joining in list(self.joining.items()):
            if joining.floor is None:
                self._hold(member, joining, event, packet)
            else:
                self._promote(member, joining)

    def _hold(self, member: Member, joining: Joining, event: Numbered, packet: Packet) -> None:
        if len(joining.held) >= HELD_MAX:
            member.cut("too much to hear while joining")
        else:
            joining.held.append((event, packet))

    def _put_out(self, member: Member, seq: int) -> None:
        self.members.pop(member, None)
        self.joining.pop(member, None)
        self.left.append((member, seq))

    def _promote(self, member: Member, joining: Joining) -> None:
        """Below its floor it heard everything; from there on it hears what all hear."""
        if self.cursor is not None and self.cursor >= (joining.floor or 0):
            del self.joining[member]
            self.members[member] = joining.floor or 0


def puts_out(event: Numbered, user_id: str | None) -> bool:
    """Whether this person leaves the event's own stream by it."""
    return any(
        change.user_id == user_id and change.stream == event.stream and not change.joins
        for change in event.membership
    )


def joins_elsewhere(event: Numbered, name: str) -> list[Membership]:
    """Who is let into other streams by an event of the stream `name`."""
    return [change for change in event.membership if change.joins and change.stream != name]
