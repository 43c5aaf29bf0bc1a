"""Schedules, week overrides, blocks (their places are pools of holds) and who is free now."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Integer,
    String,
    Table,
    UniqueConstraint,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from storage.columns import Instant, Json, metadata
from storage.engine import Queries
from storage.holds import insert_pool, pools
from storage.personal import personal

BLOCK_MAX = timedelta(days=1)
"""No block is longer, so one index bounds those of a time on both sides, whatever is past."""

schedules = Table(
    "schedules",
    metadata,
    Column("consultant_id", String(36), ForeignKey("consultants.id"), primary_key=True),
    Column("time_zone", String(64), nullable=False),
    Column("hours", Json, nullable=False),
    info=personal(
        goes="consultant_id",
        shown="time_zone hours",
        held="consultant_id",
        file="schedule",
        says="Your week.",
    ),
)
overrides = Table(
    "overrides",
    metadata,
    Column("consultant_id", String(36), ForeignKey("consultants.id"), primary_key=True),
    Column("week", String(8), primary_key=True),
    Column("hours", Json, nullable=False),
    info=personal(
        goes="consultant_id",
        shown="week hours",
        held="consultant_id",
        file="schedule_overrides",
        says="Weeks that differed.",
    ),
)
blocks = Table(
    "blocks",
    metadata,
    Column("id", String(36), ForeignKey("pools.id"), primary_key=True),
    Column("consultant_id", String(36), ForeignKey("consultants.id"), nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("wanted_calls", Integer, nullable=False),
    Column("cancelled", Boolean, nullable=False),
    UniqueConstraint("consultant_id", "starts_at"),
    info=personal(
        cleared={"consultant_id": {}},
        left="id consultant_id starts_at ends_at wanted_calls cancelled",
        shown="id starts_at ends_at wanted_calls cancelled",
        held="consultant_id",
        file="blocks",
        says="Hours in which you could be booked.",
    ),
)
available_now = Table(
    "available_now",
    metadata,
    Column("consultant_id", String(36), ForeignKey("consultants.id"), primary_key=True),
    Column("available", Boolean, nullable=False),
    Column("back_after_call", Boolean, nullable=False),
    Column("call_id", String(36)),
    Column("resumes", Boolean, nullable=False),
    info=personal(
        goes="consultant_id",
        shown="available back_after_call",
        held="consultant_id call_id resumes",
        file="available_now",
        says="Whether you took calls at once.",
    ),
)


waiting_list = Table(
    "waiting_list",
    metadata,
    Column("block_id", String(36), ForeignKey("blocks.id"), primary_key=True),
    Column("user_id", String(36), ForeignKey("users.id"), primary_key=True, index=True),
    Column("joined_at", Instant, nullable=False),
    Column("offer_id", String(36)),
    Column("offer_expires_at", Instant),
    info=personal(
        goes="user_id",
        shown="block_id joined_at offer_expires_at",
        held="user_id offer_id",
        file="waiting_lists",
        says="Hours for which you were in line.",
        by="availability",
    ),
)


class ScheduleRow(msgspec.Struct):
    consultant_id: str
    time_zone: str
    hours: list[dict[str, Any]]


class OverrideRow(msgspec.Struct):
    consultant_id: str
    week: str
    hours: list[dict[str, Any]]


class BlockRow(msgspec.Struct):
    """`wanted_calls`: what the schedule says; more may be booked since before it said so."""

    id: str
    consultant_id: str
    starts_at: datetime
    ends_at: datetime
    wanted_calls: int
    cancelled: bool
    max_calls: int
    taken: int


class WaitingRow(msgspec.Struct):
    """Somebody on a block's waiting list; `offer_id` is the hold that is offered to them."""

    block_id: str
    user_id: str
    joined_at: datetime
    offer_id: str | None
    offer_expires_at: datetime | None


class NowRow(msgspec.Struct):
    """`resumes`: back to available when the call that is going on (`call_id`) ends."""

    consultant_id: str
    available: bool
    back_after_call: bool
    call_id: str | None
    resumes: bool


_s = insert(schedules)
_KEEP_SCHEDULE = _s.on_conflict_do_update(
    index_elements=[schedules.c.consultant_id],
    set_={"time_zone": _s.excluded.time_zone, "hours": _s.excluded.hours},
)
_SCHEDULE = select(schedules).where(schedules.c.consultant_id == bindparam("of_consultant"))
_o = insert(overrides)
_KEEP_OVERRIDE = _o.on_conflict_do_update(
    index_elements=[overrides.c.consultant_id, overrides.c.week],
    set_={"hours": _o.excluded.hours},
)
_OVERRIDES = (
    select(overrides)
    .where(
        overrides.c.consultant_id == bindparam("of_consultant"),
        overrides.c.week >= bindparam("first_week"),
    )
    .order_by(overrides.c.week)
)
_CLEAR = delete(overrides).where(
    overrides.c.consultant_id == bindparam("of_consultant"),
    overrides.c.week == bindparam("of_week"),
)
_b = blocks.c
_COLUMNS = (
    _b.id,
    _b.consultant_id,
    _b.starts_at,
    _b.ends_at,
    _b.wanted_calls,
    _b.cancelled,
    pools.c.capacity,
    pools.c.taken,
)
_BLOCKS = select(*_COLUMNS).join(pools, pools.c.id == _b.id)
_BLOCK = _BLOCKS.where(_b.id == bindparam("block_id"))
_BETWEEN = (
    _BLOCKS.where(
        _b.consultant_id == bindparam("of_consultant"),
        _b.ends_at > bindparam("after"),
        _b.starts_at > bindparam("earliest"),
        _b.starts_at < bindparam("before"),
    )
    .order_by(_b.starts_at)
    .limit(bindparam("limit"))
)
_INSERT_BLOCK = insert(blocks)
_SET_CANCELLED = (
    update(blocks)
    .where(_b.id == bindparam("block_id"))
    .values(cancelled=bindparam("new_cancelled"))
)
_SET_WANTED = (
    update(blocks)
    .where(_b.id == bindparam("block_id"))
    .values(wanted_calls=bindparam("new_wanted"))
)
_n = insert(available_now)
_KEEP_NOW = _n.on_conflict_do_update(
    index_elements=[available_now.c.consultant_id],
    set_={
        name: _n.excluded[name] for name in ("available", "back_after_call", "call_id", "resumes")
    },
)
_NOW = select(available_now).where(available_now.c.consultant_id == bindparam("of_consultant"))

_w = waiting_list.c
_JOIN = insert(waiting_list)
_IN_BLOCK = _w.block_id == bindparam("of_block")
_WAITER = (_IN_BLOCK, _w.user_id == bindparam("of_user"))
_FIND_WAITING = select(waiting_list).where(*_WAITER)
_COUNT = select(func.count()).where(_IN_BLOCK)
_POSITION = _COUNT.where(
    or_(
        _w.joined_at < bindparam("joined_at"),
        and_(_w.joined_at == bindparam("joined_at"), _w.user_id <= bindparam("of_user")),
    )
)
_NEXT = (
    select(waiting_list)
    .where(_IN_BLOCK, _w.offer_id.is_(None))
    .order_by(_w.joined_at, _w.user_id)
    .limit(bindparam("limit"))
)
_OFFERED = (
    select(waiting_list)
    .where(_IN_BLOCK, _w.offer_id.is_not(None))
    .order_by(_w.joined_at, _w.user_id)
)
_OFFER = (
    update(waiting_list)
    .where(*_WAITER)
    .values(offer_id=bindparam("new_offer"), offer_expires_at=bindparam("new_expires_at"))
)
_LEAVE = delete(waiting_list).where(*_WAITER)
_OF_WAITER = (
    select(waiting_list).where(_w.user_id == bindparam("of_user")).limit(bindparam("limit"))
)
_CLOSE = delete(waiting_list).where(_IN_BLOCK)


def keep_schedule(tx: Queries, row: ScheduleRow) -> None:
    tx.run(_KEEP_SCHEDULE, **msgspec.structs.asdict(row))


def find_schedule(tx: Queries, consultant_id: str) -> ScheduleRow | None:
    return tx.one(ScheduleRow, _SCHEDULE, of_consultant=consultant_id)


def keep_override(tx: Queries, row: OverrideRow) -> None:
    tx.run(_KEEP_OVERRIDE, **msgspec.structs.asdict(row))


def clear_override(tx: Queries, consultant_id: str, week: str) -> bool:
    return tx.run(_CLEAR, of_consultant=consultant_id, of_week=week) == 1


def list_overrides(tx: Queries, consultant_id: str, first_week: str) -> list[OverrideRow]:
    """The overrides of `first_week` and later ones (ISO weeks sort as text)."""
    return tx.all(OverrideRow, _OVERRIDES, of_consultant=consultant_id, first_week=first_week)


def insert_block(
    tx: Queries,
    block_id: str,
    consultant_id: str,
    starts_at: datetime,
    ends_at: datetime,
    max_calls: int,
) -> None:
    insert_pool(tx, block_id, max_calls)
    tx.run(
        _INSERT_BLOCK,
        id=block_id,
        consultant_id=consultant_id,
        starts_at=starts_at,
        ends_at=ends_at,
        wanted_calls=max_calls,
        cancelled=False,
    )


def find_block(tx: Queries, block_id: str) -> BlockRow | None:
    return tx.one(BlockRow, _BLOCK, block_id=block_id)


def list_blocks(
    tx: Queries, consultant_id: str, after: datetime, before: datetime, limit: int
) -> list[BlockRow]:
    """Blocks that end after `after` and start before `before`, in order."""
    return tx.all(
        BlockRow,
        _BETWEEN,
        of_consultant=consultant_id,
        after=after,
        earliest=after - BLOCK_MAX,
        before=before,
        limit=limit,
    )


def set_cancelled(tx: Queries, block_id: str, cancelled: bool) -> None:
    tx.run(_SET_CANCELLED, block_id=block_id, new_cancelled=cancelled)


def set_wanted(tx: Queries, block_id: str, wanted_calls: int) -> None:
    tx.run(_SET_WANTED, block_id=block_id, new_wanted=wanted_calls)


def keep_now(tx: Queries, row: NowRow) -> None:
    tx.run(_KEEP_NOW, **msgspec.structs.asdict(row))


def find_now(tx: Queries, consultant_id: str) -> NowRow | None:
    return tx.one(NowRow, _NOW, of_consultant=consultant_id)


def join_waiting_list(tx: Queries, row: WaitingRow) -> None:
    tx.run(_JOIN, **msgspec.structs.asdict(row))


def find_waiting(tx: Queries, block_id: str, user_id: str) -> WaitingRow | None:
    return tx.one(WaitingRow, _FIND_WAITING, of_block=block_id, of_user=user_id)


def count_waiting(tx: Queries, block_id: str) -> int:
    count: int = tx.scalar(_COUNT, of_block=block_id)
    return count


def get_position(tx: Queries, row: WaitingRow) -> int:
    """Where somebody is on the waiting list, from 1."""
    position: int = tx.scalar(
        _POSITION, of_block=row.block_id, of_user=row.user_id, joined_at=row.joined_at
    )
    return position


def list_next(tx: Queries, block_id: str, limit: int) -> list[WaitingRow]:
    """The first on the waiting list who have no offer, in order."""
    return tx.all(WaitingRow, _NEXT, of_block=block_id, limit=limit)


def list_offered(tx: Queries, block_id: str) -> list[WaitingRow]:
    """Who on the waiting list has an offer, in order; never more than the block has places."""
    return tx.all(WaitingRow, _OFFERED, of_block=block_id)


def keep_offer(tx: Queries, row: WaitingRow) -> None:
    tx.run(
        _OFFER,
        of_block=row.block_id,
        of_user=row.user_id,
        new_offer=row.offer_id,
        new_expires_at=row.offer_expires_at,
    )


def leave_waiting_list(tx: Queries, block_id: str, user_id: str) -> bool:
    return tx.run(_LEAVE, of_block=block_id, of_user=user_id) == 1


def list_waits(tx: Queries, user_id: str, limit: int) -> list[WaitingRow]:
    """The waiting lists that somebody is on."""
    return tx.all(WaitingRow, _OF_WAITER, of_user=user_id, limit=limit)


def close_waiting_list(tx: Queries, block_id: str) -> None:
    """Take everybody off."""
    tx.run(_CLOSE, of_block=block_id)
