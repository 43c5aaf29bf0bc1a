"""Counts of attempts in a time window, shared by all instances.

Keys are keyed hashes of the counted subject (`handlers/kit/throttle.py`), so no row names a user.
"""

from datetime import datetime

import msgspec
from sqlalchemy import Boolean, Column, Integer, String, Table, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import not_personal

throttles = Table(
    "throttles",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("tries", Integer, nullable=False),
    Column("free_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False, index=True),
    Column("reported", Boolean, nullable=False),
    info=not_personal("key tries free_at ends_at reported"),
)


class ThrottleRow(msgspec.Struct):
    """The attempts of the window that ends at `ends_at`; no attempt is allowed before `free_at`."""

    key: str
    tries: int
    free_at: datetime
    ends_at: datetime
    reported: bool


_t = throttles.c
_FIND = select(throttles).where(_t.key == bindparam("of_key"))
_LOCK = _FIND.with_for_update()
_INSERT = insert(throttles).on_conflict_do_nothing(index_elements=[_t.key])
_UPDATE = (
    update(throttles)
    .where(_t.key == bindparam("of_key"))
    .values(
        tries=bindparam("new_tries"),
        free_at=bindparam("new_free_at"),
        ends_at=bindparam("new_ends_at"),
        reported=bindparam("new_reported"),
    )
)
_OVER = select(_t.key).where(_t.ends_at < bindparam("before")).limit(bindparam("limit"))
# The condition is repeated to keep a row whose window restarted meanwhile.
_FORGET = delete(throttles).where(_t.key.in_(_OVER), _t.ends_at < bindparam("before"))


def find_throttle(tx: Queries, key: str) -> ThrottleRow | None:
    return tx.one(ThrottleRow, _FIND, of_key=key)


def hold_throttle(tx: Queries, key: str) -> ThrottleRow | None:
    """The row of `key`, locked until the commit; None if there is none."""
    return tx.one(ThrottleRow, _LOCK, of_key=key)


def lock_throttle(tx: Queries, key: str, now: datetime) -> ThrottleRow:
    """The row of `key`, locked until the commit; a new row has an empty window."""
    found = hold_throttle(tx, key)
    if found is None:
        fresh = ThrottleRow(key, 0, now, now, False)
        tx.run(_INSERT, **msgspec.structs.asdict(fresh))
        found = hold_throttle(tx, key) or fresh
    return found


def update_throttle(tx: Queries, row: ThrottleRow) -> None:
    """Save a changed row, which must be locked."""
    tx.run(
        _UPDATE,
        of_key=row.key,
        new_tries=row.tries,
        new_free_at=row.free_at,
        new_ends_at=row.ends_at,
        new_reported=row.reported,
    )


def forget_throttles(tx: Queries, before: datetime, limit: int) -> int:
    """Delete rows whose window ended before `before`; returns the number of deleted rows."""
    return tx.run(_FORGET, before=before, limit=limit)
