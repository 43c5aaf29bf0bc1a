"""The time of consultants that their open blocks have. The database rejects overlapping blocks.

A row has one bit for each quarter of an hour of half a day in UTC. Offsets of time zones are whole
quarters of an hour, so blocks that overlap share a quarter.

Invariants:
- Bits are set by one statement, which sets none if one of them is set already. The lock of the row
  makes concurrent statements wait for each other.
- A bit is set as long as the block that has this time is open.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    bindparam,
    delete,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import DeleteRow, personal

QUARTER = timedelta(minutes=15)
HALF_DAY = timedelta(hours=12)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ALL_BITS = (1 << (HALF_DAY // QUARTER)) - 1

open_hours = Table(
    "open_hours",
    metadata,
    Column("consultant_id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("half_day", Instant, primary_key=True),
    Column("quarters", BigInteger, nullable=False),
    Index("ix_open_hours_half_day", "half_day"),
    info=personal(
        on_erasure_of={"consultant_id": DeleteRow()},
        not_exported="consultant_id half_day quarters",
    ),
)

Hours = tuple[datetime, datetime]
"""The start and the end of a block."""


class HoursOverlap(Exception):
    """A block would overlap another open block of its consultant."""


_h = open_hours.c
_INSERT = insert(open_hours)
_TAKE = _INSERT.on_conflict_do_update(
    index_elements=[_h.consultant_id, _h.half_day],
    set_={"quarters": _h.quarters.bitwise_or(_INSERT.excluded.quarters)},
    where=_h.quarters.bitwise_and(_INSERT.excluded.quarters) == 0,
).returning(_h.quarters)
_FREE = (
    update(open_hours)
    .where(_h.consultant_id == bindparam("of_consultant"), _h.half_day == bindparam("in_half_day"))
    .values(quarters=_h.quarters.bitwise_and(bindparam("kept")))
)
_FORGET = delete(open_hours).where(
    tuple_(_h.consultant_id, _h.half_day).in_(
        select(_h.consultant_id, _h.half_day)
        .where(_h.half_day < bindparam("before"))
        .limit(bindparam("limit"))
    )
)


def take_hours(tx: Queries, consultant_id: str, blocks: Iterable[Hours]) -> None:
    """Take the time of blocks that open; raises HoursOverlap."""
    bits_of: dict[datetime, int] = defaultdict(int)
    for half_day, bit in _bits_of(blocks):
        if bits_of[half_day] & bit:
            raise HoursOverlap
        bits_of[half_day] |= bit
    for half_day, bits in sorted(bits_of.items()):  # the same order for all transactions
        values = {"consultant_id": consultant_id, "half_day": half_day, "quarters": bits}
        if tx.scalar(_TAKE, **values) is None:
            raise HoursOverlap


def free_hours(tx: Queries, consultant_id: str, blocks: Iterable[Hours]) -> None:
    """Free the time of blocks that were open."""
    bits_of: dict[datetime, int] = defaultdict(int)
    for half_day, bit in _bits_of(blocks):
        bits_of[half_day] |= bit
    for half_day, bits in sorted(bits_of.items()):
        tx.run(_FREE, of_consultant=consultant_id, in_half_day=half_day, kept=ALL_BITS ^ bits)


def forget_hours(tx: Queries, before: datetime, limit: int) -> int:
    """Delete at most `limit` half days that begin before this moment; returns how many."""
    return tx.run(_FORGET, before=before, limit=limit)


def _bits_of(blocks: Iterable[Hours]) -> Iterator[tuple[datetime, int]]:
    """The half day and the bit of each quarter of the blocks."""
    for starts_at, ends_at in blocks:
        quarter = starts_at
        while quarter < ends_at:
            number, rest = divmod(quarter - EPOCH, HALF_DAY)
            yield EPOCH + number * HALF_DAY, 1 << (rest // QUARTER)
            quarter += QUARTER
