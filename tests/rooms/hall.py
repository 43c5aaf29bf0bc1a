"""Rooms with a real database, and members that only record what they are sent."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from handlers.kit.ids import new_id
from rooms.bus import InProcessBus
from rooms.packets import Packet
from rooms.replay import Entered, Wanted
from rooms.rooms import Rooms
from storage.engine.database import Database, Queries
from storage.events.log import Membership, Numbered, Record, insert_events
from tests.world import MovableClock

NAMESPACE = "/hall"
HALL = "/hall|hall"
CLUB = "/hall|club"


class Member:
    """A member that records what it is sent."""

    namespace = NAMESPACE
    gone = False

    def __init__(self, user_id: str | None = None) -> None:
        self.user_id = user_id
        self.sent: list[Any] = []
        self.cuts: list[str] = []

    def send(self, packet: Packet) -> None:
        name, _, meta = msgspec.json.decode(packet.text.partition(b",")[2])
        self.sent.append((meta["room"], meta["seq"]) if "seq" in meta else name)

    async def caught_up(self) -> None:
        """Return at once, as a client that always reads."""

    def cut(self, reason: str) -> None:
        self.cuts.append(reason)

    def numbers(self, room: str = "hall") -> list[int]:
        """The sequence numbers received in a room, in order of arrival."""
        return [one[1] for one in self.sent if isinstance(one, tuple) and one[0] == room]


class Hall:
    """Rooms and their database, and a filter that loses committed events."""

    def __init__(self, database: Database, clock: MovableClock) -> None:
        self.database = database
        self.clock = clock
        self.rooms = Rooms(database, InProcessBus(), clock)
        self.lose: Callable[[Numbered], bool] = lambda event: False
        """Selects the committed events that do not reach the rooms."""
        database.committed = self._committed

    def _committed(self, event: Numbered) -> None:
        if not self.lose(event):
            self.rooms.committed(event)

    async def say(
        self,
        *streams: str,
        count: int = 1,
        membership: tuple[Membership, ...] = (),
        name: str = "SAID",
    ) -> list[Numbered]:
        """Commit events to streams (HALL by default), each in its own transaction."""
        said: list[Numbered] = []
        for _ in range(count):
            one = record(self.clock.now(), streams or (HALL,), membership, name)
            said += await self.database.transact(partial(self._insert, one))
        return said

    def _insert(self, one: Record, queries: Queries) -> list[Numbered]:
        told = insert_events(queries, [one], {})
        queries.effects.extend(told)
        return told

    async def enter(
        self, member: Member, *wanted: Wanted, greet: Callable[..., None] | None = None
    ) -> dict[str, Entered]:
        """Enter streams (HALL by default); returns the result for each."""
        how: dict[str, Entered] = {}

        def greeted(entered: dict[str, Entered]) -> None:
            how.update(entered)
            member.sent.append("greeted")
            if greet is not None:
                greet(entered)

        streams = list(wanted or (Wanted(HALL),))
        await self.rooms.enter(member, lambda queries: streams, greeted)
        return how


def record(
    now: datetime,
    streams: tuple[str, ...],
    membership: tuple[Membership, ...] = (),
    name: str = "SAID",
) -> Record:
    return Record(
        id=new_id(now),
        name=name,
        version=1,
        at=now,
        data="{}",
        sealed=False,
        private=False,
        subject=None,
        order_key="hall",
        streams=streams,
        consumers=(),
        membership=membership,
        actor_id=None,
        address=None,
        correlation_id=None,
    )


async def spin(times: int = 5) -> None:
    """Let ready tasks run."""
    for _ in range(times):
        await asyncio.sleep(0)
