"""Pools of places, and holds that may expire. Blocks use them; tickets can.

Invariants:
- Each hold takes one place of its pool until it is released.
- A hold with `expires_at` is provisional; one without it is firm.
- A constraint in the database prevents more holds than the capacity of the pool.
- A hold can be released only once, so its place is freed exactly once.
"""

from datetime import datetime

import msgspec
from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    bindparam,
    delete,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import KeepRow, not_personal, personal

pools = Table(
    "pools",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("capacity", Integer, nullable=False),
    Column("taken", Integer, nullable=False),
    CheckConstraint("taken >= 0 AND taken <= capacity", name="taken_within_capacity"),
    info=not_personal("id capacity taken"),
)
holds = Table(
    "holds",
    metadata,
    Column("pool_id", String(36), ForeignKey("pools.id"), primary_key=True),
    Column("for_id", String(36), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("holder_id", String(36), nullable=False),
    Column("taken_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Index("ix_holds_pool_id_taken_at", "pool_id", "taken_at"),
    info=personal(
        on_erasure_of={"holder_id": KeepRow()},
        unchanged="pool_id for_id kind holder_id taken_at expires_at",
        not_exported="pool_id for_id kind holder_id taken_at expires_at",
    ),
)


class Hold(msgspec.Struct):
    """One place of the pool `pool_id`, held by a user for `for_id` (a booking or an offer)."""

    pool_id: str
    for_id: str
    kind: str
    holder_id: str
    taken_at: datetime
    expires_at: datetime | None


_h = holds.c
_INSERT_POOL = insert(pools)
_TAKE = (
    update(pools)
    .where(pools.c.id == bindparam("pool"), pools.c.taken < pools.c.capacity)
    .values(taken=pools.c.taken + 1)
)
_GIVE_BACK = (
    update(pools)
    .where(pools.c.id == bindparam("pool"))
    .values(taken=pools.c.taken - bindparam("places"))
)
_RESIZE = (
    update(pools)
    .where(pools.c.id == bindparam("pool"), pools.c.taken <= bindparam("new_capacity"))
    .values(capacity=bindparam("new_capacity"))
)
_INSERT_HOLD = insert(holds)
_THIS = (_h.pool_id == bindparam("pool"), _h.for_id == bindparam("held_for"))
_DELETE_HOLD = delete(holds).where(*_THIS)
_DELETE_EXPIRED = delete(holds).where(
    _h.pool_id == bindparam("pool"),
    _h.kind == bindparam("of_kind"),
    _h.expires_at <= bindparam("now"),
)
_FIRM = update(holds).where(*_THIS).values(expires_at=None)
_FIND = select(_h.pool_id, _h.for_id, _h.kind, _h.holder_id, _h.taken_at, _h.expires_at).where(
    *_THIS
)
_LIST = (
    select(_h.pool_id, _h.for_id, _h.kind, _h.holder_id, _h.taken_at, _h.expires_at)
    .where(_h.pool_id == bindparam("pool"))
    .order_by(_h.taken_at, _h.for_id)
)
_POOLS_OF = (
    select(_h.pool_id)
    .where(
        _h.pool_id.in_(bindparam("pool_ids", expanding=True)),
        _h.holder_id == bindparam("of_holder"),
        _h.kind == bindparam("of_kind"),
    )
    .distinct()
)
_LOCK_ALL = (
    select(pools.c.id)
    .where(pools.c.id.in_(bindparam("pool_ids", expanding=True)))
    .order_by(pools.c.id)
    .with_for_update()
)
_LOCK = update(pools).where(pools.c.id == bindparam("pool")).values(taken=pools.c.taken)


def insert_pools(tx: Queries, capacities: dict[str, int]) -> None:
    """Insert empty pools with these capacities, by their ids."""
    rows = [{"id": one, "capacity": places, "taken": 0} for one, places in capacities.items()]
    tx.run_many(_INSERT_POOL, rows)


def lock_pool(tx: Queries, pool_id: str) -> None:
    """Lock a pool: no other transaction can take or free a place before this one commits."""
    tx.run(_LOCK, pool=pool_id)


def lock_pools(tx: Queries, pool_ids: list[str]) -> None:
    """Lock several pools, always in the same order."""
    tx.scalars(_LOCK_ALL, pool_ids=pool_ids)


def take_place(tx: Queries, hold: Hold) -> bool:
    """Take one place for `hold`; returns False if the pool is full."""
    if tx.run(_TAKE, pool=hold.pool_id) == 0:
        return False
    tx.run(
        _INSERT_HOLD,
        pool_id=hold.pool_id,
        for_id=hold.for_id,
        kind=hold.kind,
        holder_id=hold.holder_id,
        taken_at=hold.taken_at,
        expires_at=hold.expires_at,
    )
    return True


def release(tx: Queries, pool_id: str, for_id: str) -> bool:
    """Release the place held for `for_id`; returns False if there is none."""
    if tx.run(_DELETE_HOLD, pool=pool_id, held_for=for_id) == 0:
        return False
    tx.run(_GIVE_BACK, pool=pool_id, places=1)
    return True


def release_expired(tx: Queries, pool_id: str, kind: str, now: datetime) -> int:
    """Release the expired holds of this kind; returns their number. Firm holds stay."""
    places = tx.run(_DELETE_EXPIRED, pool=pool_id, of_kind=kind, now=now)
    if places:
        tx.run(_GIVE_BACK, pool=pool_id, places=places)
    return places


def find_hold(tx: Queries, pool_id: str, for_id: str) -> Hold | None:
    return tx.one(Hold, _FIND, pool=pool_id, held_for=for_id)


def make_firm(tx: Queries, pool_id: str, for_id: str) -> bool:
    """Remove the expiry of a hold; returns False if there is no such hold."""
    return tx.run(_FIRM, pool=pool_id, held_for=for_id) == 1


def resize_pool(tx: Queries, pool_id: str, capacity: int) -> bool:
    """Set the capacity; returns False if more places are taken."""
    return tx.run(_RESIZE, pool=pool_id, new_capacity=capacity) == 1


def resize_empty(tx: Queries, capacities: dict[str, int]) -> None:
    """Set the capacities of empty pools, by their ids."""
    rows = [{"pool": one, "new_capacity": places} for one, places in capacities.items()]
    tx.run_many(_RESIZE, rows)


def list_pools_of(tx: Queries, holder_id: str, kind: str, pool_ids: list[str]) -> list[str]:
    """The ids among `pool_ids` of the pools in which a user has a place of this kind."""
    return tx.scalars(_POOLS_OF, pool_ids=pool_ids, of_holder=holder_id, of_kind=kind)


def list_holds(tx: Queries, pool_id: str) -> list[Hold]:
    """The holds of a pool, oldest first."""
    return tx.all(Hold, _LIST, pool=pool_id)
