"""The rooms of this instance: events reach their members, and members join and leave.

Invariants:
- To join streams, a member registers as joining, waits for the subscriptions on the bus, and reads
  the heads and its missed events from one snapshot. It is sent the missed events and is then
  released. An event that commits meanwhile is held for it, or is in the snapshot, or both: its
  floor drops repeats (`rooms/stream.py`).
- Nothing here waits while it writes to members: a slow member is cut off by its own limits. Only a
  replay waits, for its own member, and while that member is still joining.
- An event that creates a membership lets the user's sockets into the stream from that event on, and
  one that ends a membership removes them. Both happen in the order of their numbers.
"""

from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from rooms.bus import Bus
from rooms.directory import Directory
from rooms.ephemeral import EphemeralEvents
from rooms.gaps import GAP_WAIT_S, Gaps
from rooms.member import Member
from rooms.names import split
from rooms.opening import Opening
from rooms.packets import Packet
from rooms.replay import Entered, ReplayLimits, Wanted, read_entries, replay
from rooms.stream import Stream, joins_elsewhere, puts_out
from rooms.tasks import Tasks
from storage.engine.clock import Clock
from storage.engine.database import Database, Queries, StorageUnavailable
from storage.events import log as events
from storage.events.log import Membership, Numbered

log = structlog.get_logger("rooms")

ENTER_ROUNDS = 5

Wants = Callable[[Queries], list[Wanted]]
Greet = Callable[[dict[str, Entered]], None]


class Rooms:
    """Distributes events to the sockets of this instance."""

    def __init__(
        self, database: Database, bus: Bus, clock: Clock, limits: ReplayLimits | None = None
    ) -> None:
        self._database = database
        self._bus = bus
        self._limits = limits or ReplayLimits()
        self._directory = Directory(bus)
        self._streams = self._directory.streams
        self.ephemeral = EphemeralEvents(bus, self._directory)
        self._tasks = Tasks()
        self._gaps = Gaps(database, clock, self._streams, self._after_writing, self._tasks)

    async def start(self) -> None:
        await self._bus.start(self)
        self._tasks.spawn(self._gaps.sweep())

    async def stop(self) -> None:
        await self._tasks.end()
        await self._bus.stop()

    def counts(self) -> dict[str, int]:
        """The number of objects here, for metrics and for the test that all of them go away."""
        return {
            "streams": len(self._streams),
            "members": self._directory.count_members(),
            "listened": len(self._directory.listeners),
        }

    # Events.

    def committed(self, event: Numbered) -> None:
        """Send an event that this instance has just committed."""
        self._bus.publish(event)
        self.arrived(event)

    def arrived(self, event: Numbered) -> None:
        """Take an event from this instance, the bus or the database; repeats are harmless."""
        found = self._streams.get(event.stream)
        if found is None:
            return
        self._after_writing(found, found.arrived(event))
        if found.gap:
            self._gaps.catch_up(found, event.seq, wait_s=GAP_WAIT_S)

    def ephemeral_arrived(self, name: str, packet: Packet) -> None:
        """Take an ephemeral event from the bus."""
        self.ephemeral.arrived(name, packet)

    # Joining.

    async def enter(self, member: Member, wants: Wants, greet: Greet) -> None:
        """Let `member` into exactly the streams that `wants` returns.

        It is sent its missed events, then `greet` is called, then it receives new events. Raises
        StorageUnavailable if the database cannot be read; the member is then in no stream.
        """
        try:
            wanted, entered = await self._join_all(member, wants)
            for one in wanted:
                async for _ in replay(self._database, member, one.stream, entered[one.stream]):
                    pass
        except BaseException:
            self.leave_all(member)
            raise
        greet(entered)
        for one in wanted:
            self._release(member, one.stream, entered[one.stream].head)

    async def follow(
        self, member: Member, name: str, read: Callable[[], Awaitable[int]]
    ) -> Callable[[], None]:
        """Let `member` into one stream, from the number on that `read` returns.

        Returns a function that releases the member: it sends the events of the meantime.
        """
        if name in self._directory.names_of(member):
            await read()
            return lambda: None
        opening = self._begin_opening(member)
        try:
            await opening.join(name)
            floor = await read()
        except BaseException:
            opening.abandon()
            self._directory.leave(member, name)
            raise
        opening.open_at({name: floor})
        return lambda: self._release(member, name, floor)

    # Leaving.

    def leave(self, member: Member, name: str) -> None:
        """Take `member` out of a stream, also as a listener."""
        self._directory.leave(member, name)
        self.ephemeral.leave(member, name)

    def leave_all(self, member: Member) -> None:
        """Take `member` out of all streams: it is gone."""
        for name in list(self._directory.names_of(member)):
            self._directory.leave(member, name)
        self.ephemeral.leave_all(member)

    # How members join.

    def _begin_opening(self, member: Member) -> Opening:
        return Opening(self._database, self._directory, member, self._after_writing)

    async def _join_all(
        self, member: Member, wants: Wants
    ) -> tuple[list[Wanted], dict[str, Entered]]:
        """Join all wanted streams, then read; repeat if the snapshot wants other streams."""
        opening = self._begin_opening(member)
        try:
            wanted = await self._database.read(wants)
            for _ in range(ENTER_ROUNDS):
                await opening.join_all([one.stream for one in wanted])
                wanted, entered, heads = await self._database.read(
                    partial(self._read_entries, wants, opening.names)
                )
                if self._directory.names_of(member) >= {one.stream for one in wanted}:
                    break
            else:
                raise StorageUnavailable("the member's rooms kept changing")
        except BaseException:
            opening.abandon()
            raise
        opening.open_at(heads)
        for name in self._directory.names_of(member) - {one.stream for one in wanted}:
            self._directory.leave(member, name)
        return wanted, entered

    def _read_entries(
        self, wants: Wants, opening: list[str], tx: Queries
    ) -> tuple[list[Wanted], dict[str, Entered], dict[str, int]]:
        """The wanted streams, how the member enters each, and the heads of those it opens."""
        wanted = wants(tx)
        entered = read_entries(tx, wanted, self._limits)
        rest = events.list_heads(tx, [name for name in opening if name not in entered])
        return wanted, entered, {name: entry.head for name, entry in entered.items()} | rest

    def _release(self, member: Member, name: str, floor: int) -> None:
        """Send a joining member the held events above `floor`, and later ones as they come."""
        found = self._streams.get(name)
        if found is None or member not in found.joining:
            return  # it left meanwhile
        sent = found.release(member, floor)
        self._after_writing(found, [])
        for change in [one for event in sent for one in joins_elsewhere(event, name)]:
            if change.user_id == member.user_id:
                self._let_follow(member, change)
        if member.gone:
            self.leave(member, name)
        self._gaps.catch_up(found, floor, wait_s=GAP_WAIT_S)

    # How events change who is in a stream.

    def _after_writing(self, found: Stream, written: list[Numbered]) -> None:
        """Apply the memberships that the written events of a stream end and create."""
        while found.left:
            self._put_out(found.name, *found.left.pop())
        for event in written:
            for change in joins_elsewhere(event, found.name):
                for member in found.hearers(change.user_id, event.seq):
                    self._let_follow(member, change)

    def _put_out(self, name: str, member: Member, seq: int) -> None:
        """Take out a member that event `seq` removed; it joins again if a later event lets it."""
        found = self._streams.get(name)
        again = found.again.pop(member, []) if found else []
        self.leave(member, name)
        if later := sorted((change for change in again if change.seq > seq), key=lambda c: c.seq):
            self._let_follow(member, *later)

    def _let_follow(self, member: Member, *changes: Membership) -> None:
        """Let a user's socket into a stream that events in another stream let the user join."""
        name = changes[0].stream
        if name in self._directory.names_of(member):
            self._streams[name].again.setdefault(member, []).extend(changes)
        else:
            self._tasks.spawn(self._enter_live(member, *changes))

    async def _enter_live(self, member: Member, change: Membership, *later: Membership) -> None:
        """Let `member` into a stream from the event of `change` on.

        The changes in `later` let it join again, should events before them remove it.
        """
        if member.gone:
            return
        name = change.stream
        if name in self._directory.names_of(member):
            self._let_follow(member, change, *later)
            return
        entries: dict[str, Entered] = {}

        async def read() -> int:
            wanted = [Wanted(name, change.seq, since=change.seq - 1)]
            entries.update(
                await self._database.read(lambda tx: read_entries(tx, wanted, self._limits))
            )
            return entries[name].head

        try:
            release = await self.follow(member, name, read)
            if later:
                self._let_follow(member, *later)
            if await self._send_missed(member, name, entries[name]):
                release()
        except Exception as raised:
            log.warning("room_not_entered", stream=name, error=type(raised).__name__)
            self.leave(member, name)
            member.cut("its rooms could not be read")

    async def _send_missed(self, member: Member, name: str, entry: Entered) -> bool:
        """Send the events since the member joined; False if one of them removes it again.

        Raises StorageUnavailable if there are too many.
        """
        if not entry.recovered:
            raise StorageUnavailable("too many events arrived since it joined")
        async for event in replay(self._database, member, name, entry):
            if puts_out(event, member.user_id):
                self._put_out(name, member, event.seq)
                return False
        return True


def room_of(name: str) -> str:
    """The room of a stream, as clients name it."""
    return split(name)[1]
