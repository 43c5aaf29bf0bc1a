"""Schedules, week overrides, blocks (with their pools of places), and "available now"."""

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
    bindparam,
    delete,
    false,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from storage.consulting.availability.open_hours import free_hours, take_hours
from storage.consulting.availability.waiting_lists import waiting_list
from storage.engine.columns import Instant, Json, metadata
from storage.engine.database import Queries
from storage.engine.personal import DeleteRow, Export, KeepRow, personal
from storage.events.holds import insert_pools, pools, resize_empty

BLOCK_MAX = timedelta(days=1)
"""The maximum length of a block. It bounds index scans for a time range on both sides."""

schedules = Table(
    "schedules",
    metadata,
    Column("consultant_id", String(36), ForeignKey("consultants.id"), primary_key=True),
    Column("time_zone", String(64), nullable=False),
    Column("hours", Json, nullable=False),
    info=personal(
        on_erasure_of={"consultant_id": DeleteRow()},
        export=Export(
            file="schedule",
            description="Your default week.",
            columns="time_zone hours",
        ),
        not_exported="consultant_id",
    ),
)
overrides = Table(
    "overrides",
    metadata,
    Column("consultant_id", String(36), ForeignKey("consultants.id"), primary_key=True),
    Column("week", String(8), primary_key=True),
    Column("hours", Json, nullable=False),
    info=personal(
        on_erasure_of={"consultant_id": DeleteRow()},
        export=Export(
            file="schedule_overrides",
            description="Weeks that differed from your default week.",
            columns="week hours",
        ),
        not_exported="consultant_id",
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
        on_erasure_of={"consultant_id": KeepRow()},
        unchanged="id consultant_id starts_at ends_at wanted_calls cancelled",
        export=Export(
            file="blocks",
            description="Your blocks, the hours that students could book.",
            columns="id starts_at ends_at wanted_calls cancelled",
        ),
        not_exported="consultant_id",
    ),
)
available_now = Table(
    "available_now",
    metadata,
    Column("consultant_id", String(36), ForeignKey("consultants.id"), primary_key=True),
    Column("available", Boolean, nullable=False),
    Column("back_after_call", Boolean, nullable=False),
    Column("back_when_online", Boolean, nullable=False, server_default=false()),
    Column("away", Boolean, nullable=False, server_default=false()),
    Column("call_id", String(36)),
    Column("resumes", Boolean, nullable=False),
    info=personal(
        on_erasure_of={"consultant_id": DeleteRow()},
        export=Export(
            file="available_now",
            description="Whether you were available for immediate calls.",
            columns="available back_after_call back_when_online",
        ),
        not_exported="consultant_id away call_id resumes",
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
    """A block; it can have more bookings than `wanted_calls`, from before the schedule changed."""

    id: str
    consultant_id: str
    starts_at: datetime
    ends_at: datetime
    wanted_calls: int
    cancelled: bool
    max_calls: int
    taken: int


class NowRow(msgspec.Struct):
    """The status of a consultant, with what pauses it: the call `call_id`, or being `away`.

    With `resumes`, the consultant becomes available again when nothing pauses the status any more.
    """

    consultant_id: str
    available: bool = False
    back_after_call: bool = True
    back_when_online: bool = False
    away: bool = False
    call_id: str | None = None
    resumes: bool = False


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
_KEPT = [column.name for column in blocks.columns]
_BLOCK = _BLOCKS.where(_b.id == bindparam("block_id"))
_EMPTY = _BLOCKS.where(
    _b.id.in_(bindparam("block_ids", expanding=True)),
    pools.c.taken == 0,
    ~select(waiting_list.c.block_id).where(waiting_list.c.block_id == _b.id).exists(),
)
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
_WAITED = (
    select(_b.id)
    .join(waiting_list, waiting_list.c.block_id == _b.id)
    .where(
        waiting_list.c.user_id == bindparam("of_user"),
        _b.ends_at > bindparam("after"),
        _b.starts_at < bindparam("before"),
    )
)
_WAITED_OF = (
    select(_b.id)
    .join(waiting_list, waiting_list.c.block_id == _b.id)
    .where(
        waiting_list.c.user_id == bindparam("of_user"),
        _b.consultant_id == bindparam("of_consultant"),
    )
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
_KEEP_EMPTY = (
    update(blocks)
    .where(_b.id == bindparam("block_id"))
    .values(wanted_calls=bindparam("new_wanted"), cancelled=bindparam("new_cancelled"))
)
_n = insert(available_now)
_KEEP_NOW = _n.on_conflict_do_update(
    index_elements=[available_now.c.consultant_id],
    set_={
        column.name: _n.excluded[column.name]
        for column in available_now.columns
        if column.name != "consultant_id"
    },
)
_NOW = select(available_now).where(available_now.c.consultant_id == bindparam("of_consultant"))


def keep_schedule(tx: Queries, row: ScheduleRow) -> None:
    tx.run(_KEEP_SCHEDULE, **msgspec.structs.asdict(row))


def find_schedule(tx: Queries, consultant_id: str) -> ScheduleRow | None:
    return tx.one(ScheduleRow, _SCHEDULE, of_consultant=consultant_id)


def keep_override(tx: Queries, row: OverrideRow) -> None:
    tx.run(_KEEP_OVERRIDE, **msgspec.structs.asdict(row))


def clear_override(tx: Queries, consultant_id: str, week: str) -> bool:
    return tx.run(_CLEAR, of_consultant=consultant_id, of_week=week) == 1


def list_overrides(tx: Queries, consultant_id: str, first_week: str) -> list[OverrideRow]:
    """The overrides from `first_week` on; ISO weeks sort as text."""
    return tx.all(OverrideRow, _OVERRIDES, of_consultant=consultant_id, first_week=first_week)


def insert_blocks(tx: Queries, rows: list[BlockRow]) -> None:
    """Insert open blocks of one consultant, with their pools."""
    insert_pools(tx, {row.id: row.max_calls for row in rows})
    kept = [{name: getattr(row, name) for name in _KEPT} for row in rows]
    tx.run_many(_INSERT_BLOCK, kept)
    _open(tx, rows)


def list_empty(tx: Queries, block_ids: list[str]) -> list[BlockRow]:
    """The blocks of `block_ids` in which nobody holds or waits for a place."""
    return tx.all(BlockRow, _EMPTY, block_ids=block_ids)


def keep_empty(tx: Queries, rows: list[BlockRow], toggled: set[str]) -> None:
    """Save changed blocks in which nobody holds a place; their pools must be locked.

    `toggled` are the ids of those that were opened or cancelled.
    """
    changed = [row for row in rows if row.id in toggled]
    _close(tx, [row for row in changed if row.cancelled])
    _open(tx, [row for row in changed if not row.cancelled])
    resize_empty(tx, {row.id: row.max_calls for row in rows})
    wanted = [
        {"block_id": row.id, "new_wanted": row.wanted_calls, "new_cancelled": row.cancelled}
        for row in rows
    ]
    tx.run_many(_KEEP_EMPTY, wanted)


def _open(tx: Queries, rows: list[BlockRow]) -> None:
    """Take the time of blocks of one consultant."""
    if rows:
        take_hours(tx, rows[0].consultant_id, [(row.starts_at, row.ends_at) for row in rows])


def _close(tx: Queries, rows: list[BlockRow]) -> None:
    """Free the time of blocks of one consultant."""
    if rows:
        free_hours(tx, rows[0].consultant_id, [(row.starts_at, row.ends_at) for row in rows])


def find_block(tx: Queries, block_id: str) -> BlockRow | None:
    return tx.one(BlockRow, _BLOCK, block_id=block_id)


def list_blocks(
    tx: Queries, consultant_id: str, after: datetime, before: datetime, limit: int
) -> list[BlockRow]:
    """The blocks that end after `after` and start before `before`, by their start."""
    return tx.all(
        BlockRow,
        _BETWEEN,
        of_consultant=consultant_id,
        after=after,
        earliest=after - BLOCK_MAX,
        before=before,
        limit=limit,
    )


def list_waited(tx: Queries, user_id: str, after: datetime, before: datetime) -> list[str]:
    """The ids of the blocks between these moments on whose waiting lists a user is."""
    return tx.scalars(_WAITED, of_user=user_id, after=after, before=before)


def list_waited_of(tx: Queries, user_id: str, consultant_id: str) -> list[str]:
    """The ids of a consultant's blocks on whose waiting lists a user is."""
    return tx.scalars(_WAITED_OF, of_user=user_id, of_consultant=consultant_id)


def set_cancelled(tx: Queries, row: BlockRow, cancelled: bool) -> None:
    """Cancel an open block, or open a cancelled one."""
    tx.run(_SET_CANCELLED, block_id=row.id, new_cancelled=cancelled)
    if cancelled:
        _close(tx, [row])
    else:
        _open(tx, [row])


def set_wanted(tx: Queries, block_id: str, wanted_calls: int) -> None:
    tx.run(_SET_WANTED, block_id=block_id, new_wanted=wanted_calls)


def keep_now(tx: Queries, row: NowRow) -> None:
    tx.run(_KEEP_NOW, **msgspec.structs.asdict(row))


def find_now(tx: Queries, consultant_id: str) -> NowRow | None:
    return tx.one(NowRow, _NOW, of_consultant=consultant_id)
