"""Opens the streams that a member joins and that nobody else on this instance is in.

Invariants:
- The first member to join a stream opens it: it sets the cursor to the head that its snapshot
  shows. Members that join meanwhile wait until it is open, and read their snapshots after that.
- A member that joins several streams opens its own streams before it waits for streams that other
  members open. So no two members wait for each other, and each wait is bounded.
- A member that cannot read its snapshot abandons its streams. Those who wait for them fail too, and
  the next member to join opens them anew.
"""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial

from rooms.directory import Directory
from rooms.member import Member
from rooms.stream import Stream
from storage.engine.database import Database, Queries, StorageUnavailable
from storage.events import log as events
from storage.events.log import Numbered

OPEN_WITHIN_S = 5.0


class Opening:
    """One member that joins streams, and those of them that it opens."""

    def __init__(
        self,
        database: Database,
        directory: Directory,
        member: Member,
        written: Callable[[Stream, list[Numbered]], None],
    ) -> None:
        self._database = database
        self._directory = directory
        self._member = member
        self._written = written
        self._mine: dict[str, Stream] = {}

    @property
    def names(self) -> list[str]:
        """The streams that this member must open, sorted."""
        return sorted(self._mine)

    async def join(self, name: str) -> None:
        """Join a stream. Returns once it is open, unless this member must open it.

        Raises StorageUnavailable if another member does not open it.
        """
        if not await self._register(name):
            await self._wait_for([name])

    async def join_all(self, names: Iterable[str]) -> None:
        """Join the streams that the member is not in yet. Returns once those of others are open.

        Raises StorageUnavailable if another member does not open its stream.
        """
        fresh = [name for name in names if name not in self._directory.names_of(self._member)]
        for name in fresh:
            await self._register(name)
        others = [name for name in fresh if name not in self._mine and not self._is_open(name)]
        if others and self._mine:
            self.open_at(await self._database.read(partial(list_heads, self.names)))
        await self._wait_for(others)

    def open_at(self, heads: dict[str, int]) -> None:
        """Open this member's streams at their heads."""
        for name, mine in self._mine.items():
            if not mine.opened.done():  # everybody may have left it meanwhile
                self._written(mine, mine.open_at(heads[name]))
        self._mine.clear()

    def abandon(self) -> None:
        """The heads could not be read: remove this member's streams."""
        for mine in self._mine.values():
            if mine.opened.done():
                continue  # everybody left it meanwhile
            self._directory.remove(mine)
            mine.opened.set_exception(StorageUnavailable("the stream could not be opened"))
            mine.opened.exception()  # nobody may wait for it

    async def _register(self, name: str) -> bool:
        """Put the member among the joining; returns whether it must open the stream."""
        found, is_new = self._directory.join(self._member, name)
        if is_new:
            self._mine[name] = found
            await self._directory.subscribe(name)
        return is_new

    def _is_open(self, name: str) -> bool:
        found = self._directory.streams.get(name)
        return found is None or found.cursor is not None

    async def _wait_for(self, names: list[str]) -> None:
        """Wait until other members have opened these streams."""
        streams = self._directory.streams
        waits = [streams[name].opened for name in names if name in streams]
        try:
            async with asyncio.timeout(OPEN_WITHIN_S):
                for opened in waits:
                    await asyncio.shield(opened)
        except TimeoutError:
            raise StorageUnavailable("a stream was not opened in time") from None


def list_heads(names: list[str], tx: Queries) -> dict[str, int]:
    return events.list_heads(tx, names)
