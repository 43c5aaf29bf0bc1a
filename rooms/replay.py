"""What a returning client missed: read on one snapshot, bounded, whole or not at all."""

from dataclasses import dataclass

from storage import events
from storage.engine import Queries
from storage.events import Numbered


@dataclass(frozen=True)
class Wanted:
    """A stream that a client enters: from which number it may hear, and what it has already."""

    stream: str
    from_seq: int = 0
    since: int | None = None


@dataclass(frozen=True)
class Entered:
    """How it enters: the head, whether nothing is missing, and what it missed, in order."""

    head: int
    recovered: bool
    missed: list[Numbered]


@dataclass(frozen=True)
class ReplayLimits:
    """How many events may be replayed: in one stream, and to one connection."""

    stream: int = 1_000
    connection: int = 10_000


def read_entries(tx: Queries, wanted: list[Wanted], limits: ReplayLimits) -> dict[str, Entered]:
    """For each wanted stream its head and what was missed there, all from one snapshot."""
    heads = events.list_heads(tx, [one.stream for one in wanted])
    left = limits.connection
    entered = {}
    for one in wanted:
        entry = _read_entry(tx, one, heads[one.stream], min(left, limits.stream))
        left -= len(entry.missed)
        entered[one.stream] = entry
    return entered


def _read_entry(tx: Queries, one: Wanted, head: int, limit: int) -> Entered:
    if one.since is None:
        return Entered(head, True, [])
    behind = head - one.since
    # Beyond the head: another database's number. Before `from_seq`: it was out in between.
    if behind < 0 or one.since < one.from_seq - 1 or behind > limit:
        return Entered(head, False, [])
    missed = events.list_since(tx, one.stream, one.since, head, limit) if behind else []
    if len(missed) != behind:  # some are too old and gone
        return Entered(head, False, [])
    return Entered(head, True, missed)
