"""One stream on this instance: its cursor, its members, and its joining members.

Invariants:
- Events are written out in order of their numbers, without gaps; `cursor` is the last number
  written. An event at or below the cursor is a repeat and is dropped. An event further ahead waits
  in `ahead` until all before it have arrived.
- A joining member receives nothing before its release; events written meanwhile are held for it.
  From its release on it receives exactly the numbers above its floor, in order.
- The snapshot of the first joining member opens a new stream. All other joining members read their
  snapshots after that, so no event can fall between the cursor and a floor.
- A member removed by event n receives n and nothing after it. Membership changes at or below a
  member's floor were part of its snapshot: they neither remove it nor let it join another stream.
- Streams advance independently, so a member may be readmitted before this stream has processed its
  removal. Each such readmission is queued in `again`. The member joins again after the removal, one
  stay after the other.
"""

import asyncio
from collections.abc import Iterator

from rooms.member import Member
from rooms.packets import Packet, event_packet
from storage.events.log import Membership, Numbered

AHEAD_MAX = 1_000
HELD_MAX = 2_000


class Joining:
    """A joining member, whose replay is being read and sent."""

    __slots__ = ("floor", "held")

    def __init__(self) -> None:
        self.floor: int | None = None
        """The number up to which its snapshot covers everything; None before its release."""
        self.held: list[tuple[Numbered, Packet]] = []


class Stream:
    """The state of one stream on this instance."""

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
        """The members, each with the number up to which its snapshot covers everything."""
        self.joining: dict[Member, Joining] = {}
        self.ahead: dict[int, Numbered] = {}
        self.left: list[tuple[Member, int]] = []
        """Removed members that the rooms have not processed yet, and the number of the removal."""
        self.again: dict[Member, list[Membership]] = {}
        self.filling = False

    @property
    def empty(self) -> bool:
        return not self.members and not self.joining

    @property
    def gap(self) -> bool:
        """Whether an event has arrived before its predecessors."""
        return self.cursor is not None and bool(self.ahead)

    def open_at(self, head: int) -> list[Numbered]:
        """Set the cursor of a new stream; returns the events that this writes out."""
        self.cursor = head
        self.ahead = {seq: event for seq, event in self.ahead.items() if seq > head}
        if not self.opened.done():
            self.opened.set_result(None)
        return self._write_ready()

    def arrived(self, event: Numbered) -> list[Numbered]:
        """Take `event`; returns the events that were written out, in order."""
        if self.cursor is not None and event.seq <= self.cursor:
            return []
        if len(self.ahead) < AHEAD_MAX:  # beyond that the database fills the gap
            self.ahead[event.seq] = event
        return [] if self.cursor is None else self._write_ready()

    def join(self, member: Member) -> Joining:
        joining = self.joining[member] = Joining()
        return joining

    def release(self, member: Member, floor: int) -> list[Numbered]:
        """Release a member whose snapshot up to `floor` is sent: send the held events above the
        floor.

        If one of them removes the member, it is removed at once. Returns the events sent.
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
        """The user's sockets that received number `seq` as an event, not in their snapshot."""
        return [m for m, floor in self.members.items() if m.user_id == user_id and floor < seq]

    def say(self, packet: Packet, skip: object | None) -> None:
        """Send an ephemeral event to all members except `skip`. Joining members miss it."""
        for member in self.members:
            if member is not skip and member.user_id not in packet.hidden_from:
                member.send(packet)

    def _write_ready(self) -> list[Numbered]:
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
        """Make a released member a full one once the cursor has reached its floor."""
        if self.cursor is not None and self.cursor >= (joining.floor or 0):
            del self.joining[member]
            self.members[member] = joining.floor or 0


def puts_out(event: Numbered, user_id: str | None) -> bool:
    """Whether the event removes this user from its own stream."""
    return any(
        change.user_id == user_id and change.stream == event.stream and not change.joins
        for change in event.membership
    )


def joins_elsewhere(event: Numbered, name: str) -> list[Membership]:
    """The memberships that an event of the stream `name` creates in other streams."""
    return [change for change in event.membership if change.joins and change.stream != name]
