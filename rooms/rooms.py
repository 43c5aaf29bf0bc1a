"""All streams with members on this instance, and the ways in and out of them.

Invariants:
- A stream is kept only while somebody local is in it, and is subscribed on the bus while somebody
  is in it or listens to its ephemeral events.
- Entering: register as joining, confirm the subscription, decide on one snapshot what is replayed,
  send it, release. Whatever commits meanwhile is held or is in the snapshot, and the floor drops
  what is in both.
- Who enters several streams opens its own before it waits for those that others are opening, so
  no two can wait for each other; the wait is bounded.
- Nothing here waits while it writes to members: a slow one is cut off by its own limits. Only a
  replay waits, for its own member, and while that member is still joining.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from functools import partial
from time import monotonic
from typing import Any

import structlog

from rooms.bus import Bus
from rooms.gaps import GAP_WAIT_S, Gaps
from rooms.listeners import Listeners
from rooms.member import Member
from rooms.names import split, stream
from rooms.packets import Packet, ephemeral_packet, event_packet
from rooms.replay import Entered, ReplayLimits, Wanted, read_entries, replay
from rooms.stream import Stream, joins_elsewhere, puts_out
from rooms.tasks import Tasks
from storage.engine.clock import Clock
from storage.engine.database import Database, Queries, StorageUnavailable
from storage.events import log as events
from storage.events.log import Membership, Numbered

log = structlog.get_logger("rooms")

ENTER_ROUNDS = 5
OPEN_WITHIN_S = 5.0

Wants = Callable[[Queries], list[Wanted]]
Greet = Callable[[dict[str, Entered]], None]


class Rooms:
    """Fan-out to the sockets of this instance."""

    def __init__(
        self, database: Database, bus: Bus, clock: Clock, limits: ReplayLimits | None = None
    ) -> None:
        self._database = database
        self._bus = bus
        self._limits = limits or ReplayLimits()
        self._streams: dict[str, Stream] = {}
        self._listeners: dict[str, Listeners] = {}
        self._of_member: dict[Member, set[str]] = {}
        self._tasks = Tasks()
        self._gaps = Gaps(database, clock, self._streams, self._after_writing, self._tasks)

    async def start(self) -> None:
        await self._bus.start(self)
        self._tasks.spawn(self._gaps.sweep())

    async def stop(self) -> None:
        await self._tasks.end()
        await self._bus.stop()

    def counts(self) -> dict[str, int]:
        """How much is held here, for metrics and for the test that all of it goes away."""
        return {
            "streams": len(self._streams),
            "members": len(self._of_member),
            "listened": len(self._listeners),
        }

    # Events on their way out.

    def committed(self, event: Numbered) -> None:
        """An event that this instance has just committed."""
        self._bus.publish(event)
        self.arrived(event)

    def arrived(self, event: Numbered) -> None:
        """An event from here, from the bus or from the database; heard twice is harmless."""
        found = self._streams.get(event.stream)
        if found is None:
            return
        self._after_writing(found, found.arrived(event))
        if found.gap:
            self._gaps.catch_up(found, event.seq, wait_s=GAP_WAIT_S)

    def publish_ephemeral(
        self,
        namespace: str,
        room: str,
        name: str,
        data: Any,
        skip: object | None = None,
        hidden_from: Collection[str] = (),
    ) -> None:
        """Say something unstored to who is in a room, or only listens to it."""
        packet = ephemeral_packet(namespace, room, name, data, hidden_from)
        self._bus.publish_ephemeral(stream(namespace, room), packet)
        self.said_ephemerally(stream(namespace, room), packet, skip)

    def said_ephemerally(self, name: str, packet: Packet, skip: object | None = None) -> None:
        """An ephemeral event from here or from the bus."""
        if (found := self._streams.get(name)) is not None:
            found.say(packet, skip)
        if listeners := self._listeners.get(name):
            listeners.told_at = monotonic()
            listeners.tell(packet, skip)

    def resync(self, name: str, packet: Packet, read_at: float) -> None:
        """Send a lost ephemeral event to the listeners here, unless they got it already.

        What was read (at `read_at`, monotonic) before they heard anything else may be out of date.
        """
        listeners = self._listeners.get(name)
        if listeners and listeners.told_at < read_at and not listeners.said_last(packet):
            listeners.tell(packet)

    # Ways in.

    async def enter(self, member: Member, wants: Wants, greet: Greet) -> None:
        """Let `member` into the streams that `wants` names: replay, `greet`, then live.

        Raises StorageUnavailable when the database cannot be read; the member is then in none.
        """
        try:
            wanted, entered = await self._read_in(member, wants)
            for one in wanted:
                await replay(self._database, member, one.stream, entered[one.stream])
        except BaseException:
            self.leave_all(member)
            raise
        greet(entered)
        for one in wanted:
            self._let_in(member, one.stream, entered[one.stream].head)

    async def follow(
        self, member: Member, name: str, read: Callable[[], Awaitable[int]]
    ) -> Callable[[], None]:
        """Let `member` into one stream from the number that `read` gives; call the result to
        release what was held meanwhile."""
        if name in self._of_member.get(member, ()):
            await read()
            return lambda: None
        opening: dict[str, Stream] = {}
        try:
            if not await self._register(member, name, opening):
                await self._others_opened([name])
            floor = await read()
        except BaseException:
            self._abandon(opening)
            self.leave(member, name)
            raise
        self._open_all(opening, {name: floor})
        return lambda: self._let_in(member, name, floor)

    async def listen(self, member: Member, names: list[str]) -> Callable[[], None]:
        """Let `member` get the ephemeral events of rooms; returns when all instances send them.

        The returned function sends those of the meantime again. Call it once the member has read
        the present state, which may be older than they are.
        """
        began = monotonic()
        if member.gone:
            return partial(self._say_again, member, [], began)
        fresh = [name for name in names if not self._is_heard(name)]
        for name in names:
            self._listeners.setdefault(name, Listeners()).members[member] = None
            self._of_member.setdefault(member, set()).add(name)
        if fresh:
            await self._bus.subscribe(*fresh)
        return partial(self._say_again, member, names, began)

    def _say_again(self, member: Member, names: list[str], since: float) -> None:
        for name in names:
            if (listeners := self._listeners.get(name)) is not None:
                listeners.say_again(member, since)

    # Ways out.

    def leave(self, member: Member, name: str) -> None:
        self._unlist(member, name)
        if (listeners := self._listeners.get(name)) is not None:
            listeners.members.pop(member, None)
            if not listeners.members:
                del self._listeners[name]
                self._hear_no_more(name)
        if (found := self._streams.get(name)) is not None:
            found.drop(member)
            self._forget_if_empty(found)

    def leave_all(self, member: Member) -> None:
        """The member is gone."""
        for name in list(self._of_member.get(member, ())):
            self.leave(member, name)

    # How it is done.

    def _is_heard(self, name: str) -> bool:
        return name in self._streams or name in self._listeners

    def _hear_no_more(self, name: str) -> None:
        if not self._is_heard(name):
            self._bus.unsubscribe(name)

    def _unlist(self, member: Member, name: str) -> None:
        names = self._of_member.get(member, set())
        names.discard(name)
        if not names:
            self._of_member.pop(member, None)

    async def _read_in(
        self, member: Member, wants: Wants
    ) -> tuple[list[Wanted], dict[str, Entered]]:
        """Register for every wanted stream, then read; again when that named others."""
        opening: dict[str, Stream] = {}
        try:
            wanted = await self._database.read(wants)
            for _ in range(ENTER_ROUNDS):
                await self._register_all(member, wanted, opening)
                wanted, entered, heads = await self._database.read(
                    partial(self._read_entries, wants, sorted(opening))
                )
                if all(one.stream in self._of_member.get(member, ()) for one in wanted):
                    break
            else:
                raise StorageUnavailable("the member's rooms kept changing")
        except BaseException:
            self._abandon(opening)
            raise
        self._open_all(opening, heads)
        for name in self._of_member.get(member, set()) - {one.stream for one in wanted}:
            self.leave(member, name)
        return wanted, entered

    def _read_entries(
        self, wants: Wants, opening: list[str], tx: Queries
    ) -> tuple[list[Wanted], dict[str, Entered], dict[str, int]]:
        """What is wanted now, how it is entered, and the heads of the streams being opened."""
        wanted = wants(tx)
        entered = read_entries(tx, wanted, self._limits)
        rest = events.list_heads(tx, [name for name in opening if name not in entered])
        return wanted, entered, {name: entry.head for name, entry in entered.items()} | rest

    async def _register_all(
        self, member: Member, wanted: list[Wanted], opening: dict[str, Stream]
    ) -> None:
        """Be among the joining everywhere; what others are opening is open when this returns."""
        fresh = [one.stream for one in wanted if one.stream not in self._names_of(member)]
        for name in fresh:
            await self._register(member, name, opening)
        others = [name for name in fresh if name not in opening and not self._is_open(name)]
        if others and opening:
            names = sorted(opening)
            heads = await self._database.read(lambda tx: events.list_heads(tx, names))
            self._open_all(opening, heads)
        await self._others_opened(others)

    def _names_of(self, member: Member) -> Iterable[str]:
        return self._of_member.get(member, ())

    def _is_open(self, name: str) -> bool:
        found = self._streams.get(name)
        return found is None or found.cursor is not None

    async def _others_opened(self, names: list[str]) -> None:
        """Wait for those who open these streams; raises StorageUnavailable when they cannot."""
        waits = [self._streams[name].opened for name in names if name in self._streams]
        try:
            async with asyncio.timeout(OPEN_WITHIN_S):
                for opened in waits:
                    await asyncio.shield(opened)
        except TimeoutError:
            raise StorageUnavailable("a stream was not opened in time") from None

    async def _register(self, member: Member, name: str, opening: dict[str, Stream]) -> bool:
        """Put `member` among the joining; True when it must open the stream by its snapshot."""
        found = self._streams.get(name)
        opens = found is None
        if found is None:
            found = Stream(name, asyncio.get_running_loop().create_future())
            self._streams[name] = opening[name] = found
        found.join(member)
        self._of_member.setdefault(member, set()).add(name)
        if opens:
            await self._bus.subscribe(name)
        return opens

    def _abandon(self, opening: dict[str, Stream]) -> None:
        """Their opener could not read: whoever waits for them is told, the next one opens anew."""
        for name, mine in opening.items():
            if mine.opened.done():
                continue  # everybody left it meanwhile
            del self._streams[name]
            self._hear_no_more(name)
            mine.opened.set_exception(StorageUnavailable("the stream could not be opened"))
            mine.opened.exception()  # nobody may be waiting
            for member in mine.joining:
                self._unlist(member, name)

    def _open_all(self, opening: dict[str, Stream], heads: dict[str, int]) -> None:
        """Open those that are still there, at their heads."""
        for name, mine in opening.items():
            if not mine.opened.done():
                self._after_writing(mine, mine.open_at(heads[name]))
        opening.clear()

    def _let_in(self, member: Member, name: str, floor: int) -> None:
        found = self._streams.get(name)
        if found is None or member not in found.joining:
            return  # it left meanwhile
        heard = found.release(member, floor)
        self._after_writing(found, [])
        for change in [one for event in heard for one in joins_elsewhere(event, name)]:
            if change.user_id == member.user_id:
                self._let_follow(member, change)
        if member.gone:
            self.leave(member, name)
        self._gaps.catch_up(found, floor, wait_s=GAP_WAIT_S)

    def _after_writing(self, found: Stream, written: list[Numbered]) -> None:
        while found.left:
            self._put_out(found.name, *found.left.pop())
        for event in written:
            for change in joins_elsewhere(event, found.name):
                for member in found.hearers(change.user_id, event.seq):
                    self._let_follow(member, change)

    def _put_out(self, name: str, member: Member, seq: int) -> None:
        """A member is out by number `seq`, and in again if it was let in after that."""
        found = self._streams.get(name)
        again = found.again.pop(member, []) if found else []
        self.leave(member, name)
        if later := sorted((change for change in again if change.seq > seq), key=lambda c: c.seq):
            self._let_follow(member, *later)

    def _let_follow(self, member: Member, *changes: Membership) -> None:
        """Let a person's socket into a stream that events in their own room let them join."""
        name = changes[0].stream
        if name in self._names_of(member):
            self._streams[name].again.setdefault(member, []).extend(changes)
        else:
            self._tasks.spawn(self._enter_live(member, *changes))

    async def _enter_live(self, member: Member, change: Membership, *later: Membership) -> None:
        """Let `member` into a stream from the event on that let it join; `later` it did anew."""
        if member.gone:
            return
        if change.stream in self._names_of(member):
            self._let_follow(member, change, *later)
            return
        wanted = [Wanted(change.stream, change.seq, since=change.seq - 1)]
        entries: dict[str, Entered] = {}

        async def read() -> int:
            entries.update(
                await self._database.read(lambda tx: read_entries(tx, wanted, self._limits))
            )
            return entries[change.stream].head

        try:
            release = await self.follow(member, change.stream, read)
            if later:
                self._let_follow(member, *later)
            entry = entries[change.stream]
            if not entry.recovered:
                raise StorageUnavailable("too many events arrived since it joined")
            for event in entry.missed:
                await member.caught_up()
                member.send(event_packet(event))
                if puts_out(event, member.user_id):
                    self._put_out(change.stream, member, event.seq)
                    return
            release()
        except Exception as raised:
            log.warning("room_not_entered", stream=change.stream, error=type(raised).__name__)
            self.leave(member, change.stream)
            member.cut("its rooms could not be read")

    def _forget_if_empty(self, found: Stream) -> None:
        if found.empty and self._streams.get(found.name) is found:
            del self._streams[found.name]
            self._hear_no_more(found.name)
            if not found.opened.done():
                found.opened.set_result(None)


def room_of(name: str) -> str:
    """The room of a stream, as clients name it."""
    return split(name)[1]
