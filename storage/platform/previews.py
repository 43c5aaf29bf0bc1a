"""A cache of recently fetched pages, and counts of fetches.

A page is found by the fingerprint of its URL; the URL itself is not stored. The fingerprint selects
one of `PLACES` places, and a new page replaces the one in its place. A page belongs to the message
for which it was fetched and is deleted with it.
"""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Column, Integer, String, Table, bindparam, case, delete, select
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, Json, metadata
from storage.engine.database import Queries
from storage.engine.personal import not_personal

link_pages = Table(
    "link_pages",
    metadata,
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("fingerprint", String(64), nullable=False),
    Column("message_id", String(36), nullable=False, index=True),
    Column("page", Json),
    Column("at", Instant, nullable=False, index=True),
    info=not_personal("place fingerprint message_id page at"),
)
link_counts = Table(
    "link_counts",
    metadata,
    Column("key", String(50), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("since", Instant, nullable=False, index=True),
    info=not_personal("key count since"),
)
PLACES = 10_000


class PageRow(msgspec.Struct):
    """`page` is None if the fetch failed."""

    fingerprint: str
    message_id: str
    page: Any
    at: datetime


_p, _n = link_pages.c, link_counts.c
_insert = insert(link_pages)
_KEEP = _insert.on_conflict_do_update(
    index_elements=[_p.place],
    set_={name: _insert.excluded[name] for name in PageRow.__struct_fields__},
)
_FIND = select(*(_p[name] for name in PageRow.__struct_fields__)).where(
    _p.place == bindparam("of_place"), _p.fingerprint == bindparam("of_fingerprint")
)
_FORGET_OF = delete(link_pages).where(
    _p.message_id == bindparam("of_message"), _p.fingerprint != bindparam("but")
)
_OLD = select(_p.place).where(_p.at < bindparam("before")).limit(bindparam("limit"))
_FORGET = delete(link_pages).where(_p.place.in_(_OLD), _p.at < bindparam("before"))
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


def keep_page(tx: Queries, row: PageRow) -> None:
    """Store a page; it replaces the one in its place."""
    tx.run(_KEEP, place=_place_of(row.fingerprint), **msgspec.structs.asdict(row))


def find_page(tx: Queries, fingerprint: str) -> PageRow | None:
    place = _place_of(fingerprint)
    return tx.one(PageRow, _FIND, of_place=place, of_fingerprint=fingerprint)


def _place_of(fingerprint: str) -> int:
    return int(fingerprint[:12], 16) % PLACES


def forget_pages_of(tx: Queries, message_id: str, but: str = "") -> None:
    """Delete the pages fetched for a message, except the one with the fingerprint `but`."""
    tx.run(_FORGET_OF, of_message=message_id, but=but)


def forget_pages(tx: Queries, before: datetime, limit: int) -> int:
    """Delete pages fetched before this time; returns how many."""
    return tx.run(_FORGET, before=before, limit=limit)


def count_one(tx: Queries, key: str, before: datetime, now: datetime) -> int:
    """Count one more fetch of `key`, and return the count.

    A count that began at `before` or earlier starts again at `now`.
    """
    return int(tx.scalar(_COUNT, key=key, count=1, since=now, before=before))


def forget_counts(tx: Queries, before: datetime, limit: int) -> int:
    """Delete counts that began before this time; returns how many."""
    return tx.run(_FORGET_COUNTS, before=before, limit=limit)
