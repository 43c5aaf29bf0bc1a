"""The time of users that is taken by calls, by quarters of an hour. The database rejects overlaps.

A call takes the time of the student who is booked for it, and the time of the consultant in whose
block a place is held. Offsets of time zones are whole quarters of an hour, so hours that overlap
share a quarter.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    bindparam,
    delete,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import DeleteRow, personal

QUARTER = timedelta(minutes=15)

busy_quarters = Table(
    "busy_quarters",
    metadata,
    Column("user_id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("quarter", Instant, primary_key=True),
    Column("holder_id", String(36), nullable=False, index=True),
    Index("ix_busy_quarters_quarter", "quarter"),
    info=personal(
        on_erasure_of={"user_id": DeleteRow()},
        not_exported="user_id quarter holder_id",
    ),
)


class Span(msgspec.Struct):
    """The time of a user that `holder_id`, a block or a booking, takes."""

    user_id: str
    holder_id: str
    starts_at: datetime
    ends_at: datetime


class TakenQuarter(msgspec.Struct):
    quarter: datetime
    holder_id: str


_q = busy_quarters.c
_INSERT = insert(busy_quarters)
_TAKE = _INSERT.on_conflict_do_nothing().returning(_q.holder_id)
_HOLDER = select(_q.holder_id).where(
    _q.user_id == bindparam("of_user"),
    _q.quarter == bindparam("at_quarter"),
)
_HOLDERS = (
    select(_q.holder_id)
    .where(
        _q.user_id == bindparam("of_user"),
        _q.quarter >= bindparam("first"),
        _q.quarter < bindparam("end"),
    )
    .distinct()
)
_QUARTERS = select(_q.quarter, _q.holder_id).where(
    _q.user_id == bindparam("of_user"),
    _q.quarter >= bindparam("first"),
    _q.quarter < bindparam("end"),
)
_BUSY = (
    select(_q.user_id)
    .where(
        _q.user_id.in_(bindparam("user_ids", expanding=True)),
        _q.quarter >= bindparam("first"),
        _q.quarter < bindparam("end"),
    )
    .distinct()
)
_FREE = delete(busy_quarters).where(_q.holder_id == bindparam("of_holder"))
_FORGET = delete(busy_quarters).where(
    tuple_(_q.user_id, _q.quarter).in_(
        select(_q.user_id, _q.quarter)
        .where(_q.quarter < bindparam("before"))
        .limit(bindparam("limit"))
    )
)


def quarters_of(span: Span) -> Iterator[datetime]:
    quarter = span.starts_at
    while quarter < span.ends_at:
        yield quarter
        quarter += QUARTER


def take_time(tx: Queries, span: Span) -> bool:
    """Take the time of a user; returns False if something else has part of it.

    The transaction must then be rolled back. Time that the holder has already stays its own.
    """
    for quarter in quarters_of(span):
        values = {"user_id": span.user_id, "quarter": quarter}
        if tx.scalar(_TAKE, **values, holder_id=span.holder_id) is None:
            holder = tx.scalar(_HOLDER, of_user=span.user_id, at_quarter=quarter)
            if holder != span.holder_id:
                return False
    return True


def free_time(tx: Queries, holder_id: str) -> None:
    tx.run(_FREE, of_holder=holder_id)


def list_holders(tx: Queries, user_id: str, starts_at: datetime, ends_at: datetime) -> list[str]:
    """The ids of what has time of a user between these moments."""
    return tx.scalars(_HOLDERS, of_user=user_id, first=starts_at, end=ends_at)


def list_quarters(
    tx: Queries, user_id: str, starts_at: datetime, ends_at: datetime
) -> dict[datetime, str]:
    """The taken quarters of a user between these moments, with the ids of their holders."""
    rows = tx.all(TakenQuarter, _QUARTERS, of_user=user_id, first=starts_at, end=ends_at)
    return {row.quarter: row.holder_id for row in rows}


def list_busy(
    tx: Queries, user_ids: list[str], starts_at: datetime, ends_at: datetime
) -> list[str]:
    """The ids among `user_ids` of users who have a call between these moments."""
    return tx.scalars(_BUSY, user_ids=user_ids, first=starts_at, end=ends_at)


def forget_time(tx: Queries, before: datetime, limit: int) -> int:
    """Delete at most `limit` quarters before this moment; returns how many."""
    return tx.run(_FORGET, before=before, limit=limit)
