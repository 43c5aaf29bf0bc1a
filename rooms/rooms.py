"""All streams with members on this instance, and the ways in and out of them.

Invariants:
- A stream is kept only while somebody local is in it, and is subscribed on the bus as long.
- Entering: register as joining, confirm the subscription, read the head and what was missed on one
  snapshot, send it, release. Whatever commits meanwhile is held or is in the snapshot, and the
  floor drops what is in both.
- A gap waits 50 ms for the missing, then is read from the database. Twice a second the heads that
  moved lately are compared, since a lost last event shows no gap.
- Nothing here waits while it writes to members: a slow one is cut off by its own limits.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from rooms.bus import Bus
from rooms.member import Member
from rooms.names import split, stream
from rooms.packets import Packet, event_packet, whisper_packet
from rooms.replay import Entered, ReplayLimits, Wanted, read_entries
from rooms.stream import Stream
from storage import events
from storage.clock import Clock
from storage.engine import Database, Queries, StorageUnavailable
from storage.events import Head, Membership, Numbered

log = structlog.get_logger("rooms")

GAP_WAIT_S = 0.05
SWEEP_EVERY_S = 0.5
MOVED_WITHIN = timedelta(seconds=10)
FILL_LIMIT = 1_000
SWEEP_LIMIT = 10_000
ENTER_ROUNDS = 5

Wants = Callable[[Queries], list[Wanted]]
Greet = Callable[[dict[str, Entered]], None]


class Rooms:
    """Fan-out to the sockets of this instance."""

    def __init__(
        self, database: Database, bus: Bus, clock: Clock, limits: ReplayLimits | None = None
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._limits = limits or ReplayLimits()
        self._streams: dict[str, Stream] = {}
        self._listeners: dict[str, dict[Member, None]] = {}
        self._of_member: dict[Member, set[str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        await self._bus.start()
        self._spawn(self._sweep())

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
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
            self._catch_up(found, event.seq, wait_s=GAP_WAIT_S)

    def whisper(
        self, namespace: str, room: str, name: str, data: Any, skip: object | None = None
    ) -> None:
        """Say something unstored to who is in a room, or only listens to it."""
        name_of_stream = stream(namespace, room)
        packet = whisper_packet(namespace, room, name, data)
        self._bus.publish_whisper(name_of_stream, packet.text)
        self.whispered(name_of_stream, packet, skip)

    def whispered(self, name: str, packet: Packet, skip: object | None = None) -> None:
        """A whisper from here or from the bus."""
        if (found := self._streams.get(name)) is not None:
            found.say(packet, skip)
        for member in self._listeners.get(name, ()):
            if member is not skip:
                member.send(packet)

    # Ways in.

    async def enter(self, member: Member, wants: Wants, greet: Greet) -> None:
        """Let `member` into the streams that `wants` names: replay, `greet`, then live.

        Raises StorageUnavailable when the database cannot be read; the member is then in none.
        """
        try:
            wanted, entered = await self._read_in(member, wants)
        except BaseException:
            self.leave_all(member)
            raise
        for one in wanted:
            for event in entered[one.stream].missed:
                member.send(event_packet(event))
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
        opens = await self._register(member, name)
        try:
            floor = await read()
        except BaseException:
            self._abandon({name} if opens else set())
            self.leave(member, name)
            raise
        if opens:
            self._open(name, floor)
        return lambda: self._let_in(member, name, floor)

    def listen(self, member: Member, name: str) -> None:
        """Let `member` hear the whispers of a room."""
        if member.gone:
            return
        self._listeners.setdefault(name, {})[member] = None
        self._of_member.setdefault(member, set()).add(name)

    # Ways out.

    def leave(self, member: Member, name: str) -> None:
        self._unlist(member, name)
        if (listeners := self._listeners.get(name)) is not None:
            listeners.pop(member, None)
            if not listeners:
                del self._listeners[name]
        if (found := self._streams.get(name)) is not None:
            found.drop(member)
            self._forget_if_empty(found)

    def leave_all(self, member: Member) -> None:
        """The member is gone."""
        for name in list(self._of_member.get(member, ())):
            self.leave(member, name)

    # How it is done.

    def _unlist(self, member: Member, name: str) -> None:
        names = self._of_member.get(member, set())
        names.discard(name)
        if not names:
            self._of_member.pop(member, None)

    async def _read_in(
        self, member: Member, wants: Wants
    ) -> tuple[list[Wanted], dict[str, Entered]]:
        opened: set[str] = set()
        try:
            wanted, entered = await self._read_until_stable(member, wants, opened)
        except BaseException:
            self._abandon(opened)
            raise
        for name in opened:
            self._open(name, entered[name].head if name in entered else 0)
        for name in self._of_member.get(member, set()) - {one.stream for one in wanted}:
            self.leave(member, name)
        return wanted, entered

    async def _read_until_stable(
        self, member: Member, wants: Wants, opened: set[str]
    ) -> tuple[list[Wanted], dict[str, Entered]]:
        """Register for every wanted stream, then read; again when that named others."""
        wanted = await self._database.read(wants)
        for _ in range(ENTER_ROUNDS):
            for one in wanted:
                known = one.stream in self._of_member.get(member, ())
                if not known and await self._register(member, one.stream):
                    opened.add(one.stream)
            wanted, entered = await self._database.read(
                lambda tx: (now := wants(tx), read_entries(tx, now, self._limits))
            )
            if all(one.stream in self._of_member.get(member, ()) for one in wanted):
                return wanted, entered
        raise StorageUnavailable("the member's rooms kept changing")

    async def _register(self, member: Member, name: str) -> bool:
        """Put `member` among the joining; True when it must open the stream by its snapshot."""
        found = self._streams.get(name)
        opens = found is None
        if found is None:
            found = Stream(name, asyncio.get_running_loop().create_future())
            self._streams[name] = found
        found.join(member)
        self._of_member.setdefault(member, set()).add(name)
        if opens:
            await self._bus.subscribe(name)
        else:
            await asyncio.shield(found.opened)
        return opens

    def _abandon(self, names: set[str]) -> None:
        """Their opener could not read: whoever waits for them is told, the next one opens anew."""
        for name in names:
            found = self._streams.pop(name, None)
            if found is None or found.opened.done():
                continue
            self._bus.unsubscribe(name)
            found.opened.set_exception(StorageUnavailable("the stream could not be opened"))
            found.opened.exception()  # nobody may be waiting
            for member in found.joining:
                self._unlist(member, name)

    def _open(self, name: str, head: int) -> None:
        if (found := self._streams.get(name)) is not None and found.cursor is None:
            self._after_writing(found, found.open_at(head))

    def _let_in(self, member: Member, name: str, floor: int) -> None:
        found = self._streams.get(name)
        if found is None or (joining := found.joining.get(member)) is None:
            return  # it left meanwhile
        joining.floor = floor
        found.release(member)
        self._after_writing(found, [])
        if member.gone:
            self.leave(member, name)
        self._catch_up(found, floor, wait_s=GAP_WAIT_S)

    def _after_writing(self, found: Stream, written: list[Numbered]) -> None:
        while found.left:
            self.leave(found.left.pop(), found.name)
        for event in written:
            for change in event.membership:
                if change.joins and change.stream != found.name:
                    self._let_follow(found, change)

    def _let_follow(self, found: Stream, change: Membership) -> None:
        """Let a person's sockets into a stream that an event in their own room lets them join."""
        for member in found.of_user(change.user_id):
            if change.stream not in self._of_member.get(member, ()):
                self._spawn(self._enter_live(member, change))

    async def _enter_live(self, member: Member, change: Membership) -> None:
        wanted = [Wanted(change.stream, change.seq, since=change.seq - 1)]
        try:
            opens = await self._register(member, change.stream)
        except StorageUnavailable:
            member.cut("its rooms could not be read")
            return
        try:
            entered = await self._database.read(lambda tx: read_entries(tx, wanted, self._limits))
        except StorageUnavailable:
            self._abandon({change.stream} if opens else set())
            self.leave(member, change.stream)
            member.cut("its rooms could not be read")
            return
        entry = entered[change.stream]
        if opens:
            self._open(change.stream, entry.head)
        for event in entry.missed:
            member.send(event_packet(event))
        self._let_in(member, change.stream, entry.head)

    def _catch_up(self, found: Stream, upto: int, wait_s: float) -> None:
        """See to it that `found` gets to number `upto`, if it is behind."""
        if found.cursor is not None and found.cursor < upto and not found.filling:
            found.filling = True
            self._spawn(self._fill(found, upto, wait_s))

    async def _fill(self, found: Stream, upto: int, wait_s: float) -> None:
        """Read what is missing between the cursor and what came ahead of it."""
        await asyncio.sleep(wait_s)
        try:
            cursor = found.cursor or 0
            last = max([*found.ahead, upto])
            if last > cursor:
                missing = await self._database.read(
                    lambda tx: events.list_since(tx, found.name, cursor, last, FILL_LIMIT)
                )
                for event in missing:
                    self._after_writing(found, found.arrived(event))
        except StorageUnavailable as error:
            log.warning("gap_not_filled", stream=found.name, error=str(error))  # the sweep retries
        finally:
            found.filling = False

    async def _sweep(self) -> None:
        """Find what was lost without leaving a gap.

        A round looks back to the last one that succeeded, and over any transaction before it.
        """
        looked_at = self._clock.now()
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            now = self._clock.now()
            try:
                await self._look(min(looked_at, now) - MOVED_WITHIN)
                looked_at = now
            except StorageUnavailable as error:
                log.warning("heads_not_read", error=str(error))
            except Exception as raised:
                log.error("round_failed", error=type(raised).__name__)

    async def _look(self, since: datetime) -> None:
        """Catch up with every stream here whose head moved since then."""
        if not self._streams:
            return
        for head in await self._database.read(partial(moved_since, since)):
            found = self._streams.get(head.stream)
            if found is not None:
                self._catch_up(found, head.seq, wait_s=0)

    def _forget_if_empty(self, found: Stream) -> None:
        if found.empty and self._streams.get(found.name) is found:
            del self._streams[found.name]
            self._bus.unsubscribe(found.name)
            if not found.opened.done():
                found.opened.set_result(None)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def moved_since(since: datetime, tx: Queries) -> list[Head]:
    return events.list_moved_heads(tx, since, SWEEP_LIMIT)


def room_of(name: str) -> str:
    """The room of a stream, as clients name it."""
    return split(name)[1]
