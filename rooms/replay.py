"""Replay of missed events to a returning client: decided on one snapshot, bounded, all or nothing.

Events are read a page at a time, at the pace of the reader. Otherwise ten thousand long events
would take hundreds of megabytes of memory for each returning device.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

from rooms.member import Member
from rooms.packets import event_packet
from storage.engine.database import Database, Queries, StorageUnavailable
from storage.events import log as events
from storage.events.log import Numbered
from storage.events.missed import count_since, has_more_than

PAGE = 50
"""Events held in memory at a time for one joining member."""


@dataclass(frozen=True)
class Wanted:
    """A stream that a client joins: the first number it may receive, and the last number it has."""

    stream: str
    from_seq: int = 0
    since: int | None = None


@dataclass(frozen=True)
class Entered:
    """What joining came to: the head, whether nothing is missing, and the missed events."""

    head: int
    recovered: bool
    missed: list[Numbered]
    """The first of the missed events, in order; `replay` reads the rest.

    `behind` is the number of all of them.
    """
    behind: int = 0


@dataclass(frozen=True)
class ReplayLimits:
    """The maximum number of replayed events, per stream and per connection.

    Events with an `uncounted` stored name do not count towards the maximum of a stream, so that
    they never push others out of it.
    """

    stream: int = 1_000
    connection: int = 10_000
    uncounted: tuple[str, ...] = ()


def read_entries(tx: Queries, wanted: list[Wanted], limits: ReplayLimits) -> dict[str, Entered]:
    """The head and the missed events of each wanted stream, all from one snapshot."""
    heads = events.list_heads(tx, [one.stream for one in wanted])
    left, page = limits.connection, PAGE
    entered = {}
    for one in wanted:
        entry = _read_entry(tx, one, heads[one.stream], left, limits, page)
        left -= entry.behind
        page -= len(entry.missed)
        entered[one.stream] = entry
    return entered


def _read_entry(
    tx: Queries, one: Wanted, head: int, left: int, limits: ReplayLimits, page: int
) -> Entered:
    """How a member enters one stream, if `left` more events fit into the connection's maximum."""
    if one.since is None:
        return Entered(head, True, [])
    behind = head - one.since
    # A number beyond the head comes from another database. One before `from_seq` means that the
    # member left the room in between.
    if behind < 0 or one.since < one.from_seq - 1 or behind > left:
        return Entered(head, False, [])
    if behind > limits.stream and _exceeds(tx, one.stream, one.since, head, limits):
        return Entered(head, False, [])
    if behind and count_since(tx, one.stream, one.since, head) != behind:
        return Entered(head, False, [])  # some are already deleted
    missed = events.list_since(tx, one.stream, one.since, head, page) if behind and page else []
    return Entered(head, True, missed, behind)


def _exceeds(tx: Queries, stream: str, since: int, head: int, limits: ReplayLimits) -> bool:
    """Whether more events than a stream's maximum count."""
    if not limits.uncounted:
        return True
    return has_more_than(tx, stream, since, head, limits.stream, limits.uncounted)


async def replay(
    database: Database, member: Member, stream: str, entered: Entered
) -> AsyncIterator[Numbered]:
    """Send a member the missed events of a stream, at the pace at which it reads.

    Yields each event after it is sent. Raises StorageUnavailable if the events cannot be read, or
    were deleted after `entered` was read.
    """
    page, at = entered.missed, entered.head - entered.behind
    while True:
        for event in page:
            await member.caught_up()
            member.send(event_packet(event))
            yield event
        at += len(page)
        if at >= entered.head or member.gone:
            return
        page = await database.read(partial(_read_page, stream=stream, after=at, upto=entered.head))


def _read_page(tx: Queries, stream: str, after: int, upto: int) -> list[Numbered]:
    page = events.list_since(tx, stream, after, upto, PAGE)
    if len(page) < min(PAGE, upto - after):
        raise StorageUnavailable("missed events were deleted meanwhile")
    return page
