"""What a returning client missed: decided on one snapshot, bounded, whole or not at all.

Events are read a page at a time, at the pace of their reader: ten thousand long ones would take
hundreds of megabytes, for each device that comes back.
"""

from dataclasses import dataclass
from functools import partial

from rooms.member import Member
from rooms.packets import event_packet
from storage.engine.database import Database, Queries, StorageUnavailable
from storage.events import log as events
from storage.events.log import Numbered
from storage.events.missed import count_since

PAGE = 50
"""Events that are in memory at a time for one member that enters."""


@dataclass(frozen=True)
class Wanted:
    """A stream that a client enters: from which number it may hear, and what it has already."""

    stream: str
    from_seq: int = 0
    since: int | None = None


@dataclass(frozen=True)
class Entered:
    """How it enters: the head, whether nothing is missing, and how many events it missed."""

    head: int
    recovered: bool
    missed: list[Numbered]
    """The first of them, in order; `replay` reads the others."""
    behind: int = 0


@dataclass(frozen=True)
class ReplayLimits:
    """How many events may be replayed: in one stream, and to one connection."""

    stream: int = 1_000
    connection: int = 10_000


def read_entries(tx: Queries, wanted: list[Wanted], limits: ReplayLimits) -> dict[str, Entered]:
    """For each wanted stream its head and what was missed there, all from one snapshot."""
    heads = events.list_heads(tx, [one.stream for one in wanted])
    left, page = limits.connection, PAGE
    entered = {}
    for one in wanted:
        entry = _read_entry(tx, one, heads[one.stream], min(left, limits.stream), page)
        left -= entry.behind
        page -= len(entry.missed)
        entered[one.stream] = entry
    return entered


def _read_entry(tx: Queries, one: Wanted, head: int, limit: int, page: int) -> Entered:
    if one.since is None:
        return Entered(head, True, [])
    behind = head - one.since
    # Beyond the head: another database's number. Before `from_seq`: it was out in between.
    if behind < 0 or one.since < one.from_seq - 1 or behind > limit:
        return Entered(head, False, [])
    if behind and count_since(tx, one.stream, one.since, head) != behind:
        return Entered(head, False, [])  # some are too old and gone
    missed = events.list_since(tx, one.stream, one.since, head, page) if behind and page else []
    return Entered(head, True, missed, behind)


async def replay(database: Database, member: Member, stream: str, entered: Entered) -> None:
    """Send a member what it missed in a stream, at the pace at which it reads.

    Raises StorageUnavailable when the events cannot be read, or were deleted since `entered` was.
    """
    page, at = entered.missed, entered.head - entered.behind
    while True:
        for event in page:
            await member.caught_up()
            member.send(event_packet(event))
        at += len(page)
        if at >= entered.head or member.gone:
            return
        page = await database.read(partial(_read_page, stream=stream, after=at, upto=entered.head))


def _read_page(tx: Queries, stream: str, after: int, upto: int) -> list[Numbered]:
    page = events.list_since(tx, stream, after, upto, PAGE)
    if len(page) < min(PAGE, upto - after):
        raise StorageUnavailable("missed events were deleted meanwhile")
    return page
