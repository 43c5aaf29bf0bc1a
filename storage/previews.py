"""What linked pages said of themselves lately, and how many were asked for.

A page is found by the fingerprint of its address; the address itself is not kept. It belongs to the
message for which it was fetched, and goes with that.
"""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Column, Integer, String, Table, bindparam, case, delete, select
from sqlalchemy.dialects.postgresql import insert

from storage.columns import Instant, Json, metadata
from storage.engine import Queries

link_pages = Table(
    "link_pages",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("message_id", String(36), nullable=False, index=True),
    Column("page", Json),
    Column("at", Instant, nullable=False, index=True),
)
link_counts = Table(
    "link_counts",
    metadata,
    Column("key", String(50), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("since", Instant, nullable=False, index=True),
)
TRIMMED = 100
"""So many are deleted at most where there are too many."""


class PageRow(msgspec.Struct):
    """`page` is None where there was none to be had."""

    fingerprint: str
    message_id: str
    page: Any
    at: datetime


_p, _n = link_pages.c, link_counts.c
_insert = insert(link_pages)
_KEEP = _insert.on_conflict_do_update(
    index_elements=[_p.fingerprint],
    set_={name: _insert.excluded[name] for name in ("message_id", "page", "at")},
)
_FIND = select(link_pages).where(_p.fingerprint == bindparam("of_fingerprint"))
_EXCESS = select(_p.fingerprint).order_by(_p.at.desc()).offset(bindparam("most")).limit(TRIMMED)
_TRIM = delete(link_pages).where(_p.fingerprint.in_(_EXCESS))
_FORGET_OF = delete(link_pages).where(
    _p.message_id == bindparam("of_message"), _p.fingerprint != bindparam("but")
)
_OLD = select(_p.fingerprint).where(_p.at < bindparam("before")).limit(bindparam("limit"))
_FORGET = delete(link_pages).where(_p.fingerprint.in_(_OLD), _p.at < bindparam("before"))
_count = insert(link_counts)
_STALE = _n.since <= bindparam("before", type_=Instant)
_COUNT = _count.on_conflict_do_update(
    index_elements=[_n.key],
    set_={
        "count": case((_STALE, 1), else_=_n.count + 1),
        "since": case((_STALE, _count.excluded.since), else_=_n.since),
    },
).returning(_n.count)
_OLD_COUNTS = select(_n.key).where(_n.since < bindparam("before")).limit(bindparam("limit"))
_FORGET_COUNTS = delete(link_counts).where(_n.key.in_(_OLD_COUNTS), _n.since < bindparam("before"))


def keep_page(tx: Queries, row: PageRow, most: int) -> None:
    """Replace what there was for this address; beyond `most` pages the oldest go."""
    tx.run(_KEEP, **msgspec.structs.asdict(row))
    tx.run(_TRIM, most=most)


def find_page(tx: Queries, fingerprint: str) -> PageRow | None:
    return tx.one(PageRow, _FIND, of_fingerprint=fingerprint)


def forget_pages_of(tx: Queries, message_id: str, but: str = "") -> None:
    """Delete what was fetched for a message, but for the page of this fingerprint."""
    tx.run(_FORGET_OF, of_message=message_id, but=but)


def forget_pages(tx: Queries, before: datetime, limit: int) -> int:
    """Delete pages fetched before this; how many."""
    return tx.run(_FORGET, before=before, limit=limit)


def count_one(tx: Queries, key: str, before: datetime, now: datetime) -> int:
    """Count one more of `key`; how many since the count began, which is after `before`."""
    return int(tx.scalar(_COUNT, key=key, count=1, since=now, before=before))


def forget_counts(tx: Queries, before: datetime, limit: int) -> int:
    """Delete counts that began before this; how many."""
    return tx.run(_FORGET_COUNTS, before=before, limit=limit)
