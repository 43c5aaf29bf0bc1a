"""Calls and the stays of devices in them. The database allows one live call per person."""

from datetime import datetime
from typing import Literal

import msgspec
from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    bindparam,
    delete,
    desc,
    func,
    literal_column,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import DeleteRow, Export, KeepRow, personal

calls = Table(
    "calls",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("booking_id", String(36), nullable=False, index=True),
    Column("consultant_id", String(36), ForeignKey("users.id"), nullable=False),
    Column("student_id", String(36), ForeignKey("users.id"), nullable=False),
    Column("status", String(20), nullable=False),
    Column("initiated_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("interrupted_at", Instant),
    Column("ended_at", Instant),
    Column("end_reason", String(20)),
    Column("talked_s", Integer, nullable=False),
    Column("provider", String(20), nullable=False, server_default="browser"),
    info=personal(
        on_erasure_of={"student_id": KeepRow(), "consultant_id": KeepRow()},
        unchanged="id booking_id consultant_id student_id status initiated_at started_at "
        "interrupted_at ended_at end_reason talked_s provider",
        export=Export(
            file="calls",
            description="Your calls, and how long you talked.",
            columns="id booking_id consultant_id student_id status initiated_at started_at "
            "ended_at end_reason talked_s provider",
            found_by="booking_id",
        ),
        not_exported="interrupted_at",
        found_through={"booking_id": "bookings.id"},
    ),
)
# A literal, not a bound value: otherwise the planner cannot use the partial indexes.
_LIVE = calls.c.status != literal_column("'ended'")
Index(
    "ix_calls_live_consultant_id",
    calls.c.consultant_id,
    sqlite_where=_LIVE,
    postgresql_where=_LIVE,
)
Index(
    "ix_calls_live_student_id",
    calls.c.student_id,
    sqlite_where=_LIVE,
    postgresql_where=_LIVE,
)
live_participants = Table(
    "live_participants",
    metadata,
    Column("user_id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("call_id", String(36), ForeignKey("calls.id"), nullable=False, index=True),
    info=personal(
        on_erasure_of={"user_id": DeleteRow()},
        not_exported="user_id call_id",
    ),
)
stays = Table(
    "call_stays",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("call_id", String(36), ForeignKey("calls.id"), nullable=False, index=True),
    Column("device_id", String(36), nullable=False),
    Column("user_id", String(36), nullable=False, index=True),
    Column("instance_id", String(36), nullable=False),
    Column("joined_at", Instant, nullable=False),
    Column("left_at", Instant),
    Column("noted_by", String(36)),
    Index("ix_call_stays_instance_id_left_at", "instance_id", "left_at"),
    info=personal(
        on_erasure_of={"user_id": KeepRow()},
        unchanged="id call_id device_id user_id instance_id joined_at left_at noted_by",
        export=Export(
            file="call_stays",
            description="When your devices were in calls.",
            columns="call_id joined_at left_at",
        ),
        not_exported="id device_id user_id instance_id noted_by",
    ),
)
_OPEN = stays.c.left_at.is_(None)
Index(
    "ix_call_stays_open_device_id",
    stays.c.device_id,
    unique=True,
    sqlite_where=_OPEN,
    postgresql_where=_OPEN,
)


EndReason = Literal["ended", "left", "lost", "unheld", "cancelled"]
"""Ended by a participant, left by both, lost by one for too long, never joined by both, or ended
with its booking."""
Provider = Literal["browser", "livekit", "jitsi"]
"""What carries the video: a connection between the two browsers, or a service."""


class CallRow(msgspec.Struct):
    id: str
    booking_id: str
    consultant_id: str
    student_id: str
    status: Literal["initiated", "active", "ended"]
    initiated_at: datetime
    started_at: datetime | None
    interrupted_at: datetime | None
    ended_at: datetime | None
    end_reason: EndReason | None
    talked_s: int
    provider: Provider


class Stay(msgspec.Struct):
    """The time that one device spends in a call; a device that returns starts a new stay."""

    id: str
    call_id: str
    device_id: str
    """The id of the socket's lease for this call."""
    user_id: str
    instance_id: str
    joined_at: datetime
    left_at: datetime | None
    noted_by: str | None
    """The instance that recorded the end. If it is not `instance_id`, the time is an assumption."""


_c, _s = calls.c, stays.c
_CHANGING = ("status", "started_at", "interrupted_at", "ended_at", "end_reason", "talked_s")
_INSERT = insert(calls)
_l = live_participants.c
_TAKE_PART = (
    insert(live_participants)
    .on_conflict_do_nothing(index_elements=[_l.user_id])
    .returning(_l.call_id)
)
_FREE_PARTS = delete(live_participants).where(_l.call_id == bindparam("of_call"))
_FIND = select(calls).where(_c.id == bindparam("call_id"))
_LOCK = _FIND.with_for_update()
_UPDATE = (
    update(calls)
    .where(_c.id == bindparam("call_id"))
    .values(**{name: bindparam(f"new_{name}") for name in _CHANGING})
)
_LIVE_OF_BOOKING = select(calls).where(_c.booking_id == bindparam("of_booking"), _LIVE)
_LOCK_LIVE_OF_BOOKING = _LIVE_OF_BOOKING.with_for_update()
_LIVE_OF_PERSON = (  # each role uses its own index
    union_all(
        select(calls).where(_c.student_id == bindparam("of_user"), _LIVE),
        select(calls).where(_c.consultant_id == bindparam("of_user"), _LIVE),
    )
    .order_by(desc("initiated_at"))
    .limit(bindparam("limit"))
)
_OVER = select(_c.id).where(_c.id.in_(bindparam("call_ids", expanding=True)), _c.status == "ended")
_INSERT_STAY = insert(stays).on_conflict_do_nothing()
_STAYS = select(stays).where(_s.call_id == bindparam("of_call")).order_by(_s.joined_at)
_LEAVE = (
    update(stays)
    .where(_s.device_id == bindparam("of_device"), _OPEN)
    .values(left_at=bindparam("new_left_at"), noted_by=bindparam("new_noted_by"))
)
_SHORTEN = (
    update(stays).where(_s.id == bindparam("stay_id")).values(left_at=bindparam("new_left_at"))
)
_OF_INSTANCE = (
    select(stays)
    .where(_s.instance_id == bindparam("of_instance"), _OPEN)
    .order_by(_s.call_id)
    .limit(bindparam("limit"))
)
_ASSUMED = (
    select(stays)
    .where(
        _s.instance_id == bindparam("of_instance"),
        _s.left_at > bindparam("at"),
        _s.left_at > _s.joined_at,
        _s.noted_by != _s.instance_id,
    )
    .order_by(_s.call_id)
    .limit(bindparam("limit"))
)
_LIVE_STAYS = select(func.count()).where(
    _s.call_id == bindparam("of_call"),
    _s.user_id == bindparam("of_user"),
    _OPEN,
)


_ALL_STAYS = select(func.count()).where(_s.call_id == bindparam("of_call"), _OPEN)


def insert_call(tx: Queries, row: CallRow) -> str | None:
    """Insert a call; returns the id of a participant who already has a live call."""
    tx.run(_INSERT, **msgspec.structs.asdict(row))
    for user_id in sorted((row.student_id, row.consultant_id)):  # the same order for all calls
        if tx.scalar(_TAKE_PART, user_id=user_id, call_id=row.id) is None:
            return user_id
    return None


def free_participants(tx: Queries, call_id: str) -> None:
    """Let the participants of an ended call begin another one."""
    tx.run(_FREE_PARTS, of_call=call_id)


def find_call(tx: Queries, call_id: str) -> CallRow | None:
    return tx.one(CallRow, _FIND, call_id=call_id)


def lock_call(tx: Queries, call_id: str) -> CallRow | None:
    """The row, locked until the commit; None if it does not exist."""
    return tx.one(CallRow, _LOCK, call_id=call_id)


def find_live_of_booking(tx: Queries, booking_id: str) -> CallRow | None:
    return tx.one(CallRow, _LIVE_OF_BOOKING, of_booking=booking_id)


def lock_live_of_booking(tx: Queries, booking_id: str) -> CallRow | None:
    """The row, locked until the commit; None if it does not exist."""
    return tx.one(CallRow, _LOCK_LIVE_OF_BOOKING, of_booking=booking_id)


def list_live_of_person(tx: Queries, user_id: str, limit: int) -> list[CallRow]:
    """The live calls of a user in either role, newest first."""
    return tx.all(CallRow, _LIVE_OF_PERSON, of_user=user_id, limit=limit)


def list_over(tx: Queries, call_ids: list[str]) -> list[str]:
    """The ids in `call_ids` whose calls have ended."""
    return tx.scalars(_OVER, call_ids=call_ids)


def update_call(tx: Queries, row: CallRow) -> None:
    tx.run(_UPDATE, call_id=row.id, **{f"new_{name}": getattr(row, name) for name in _CHANGING})


def insert_stay(tx: Queries, stay: Stay) -> None:
    """Insert a stay, unless this device is already in the call."""
    tx.run(_INSERT_STAY, **msgspec.structs.asdict(stay))


def list_stays(tx: Queries, call_id: str) -> list[Stay]:
    return tx.all(Stay, _STAYS, of_call=call_id)


def list_stays_of_instance(tx: Queries, instance_id: str, limit: int) -> list[Stay]:
    """The open stays of an instance."""
    return tx.all(Stay, _OF_INSTANCE, of_instance=instance_id, limit=limit)


def list_assumed_stays(tx: Queries, instance_id: str, at: datetime, limit: int) -> list[Stay]:
    """The stays of an instance that died at `at` for which others recorded a later end."""
    return tx.all(Stay, _ASSUMED, of_instance=instance_id, at=at, limit=limit)


def end_stay(tx: Queries, device_id: str, at: datetime, noted_by: str) -> bool:
    """End the open stay of a device; returns whether it had one."""
    return tx.run(_LEAVE, of_device=device_id, new_left_at=at, new_noted_by=noted_by) == 1


def shorten_stay(tx: Queries, stay_id: str, at: datetime) -> None:
    """Move the end of a stay to `at`."""
    tx.run(_SHORTEN, stay_id=stay_id, new_left_at=at)


def is_anybody_there(tx: Queries, call_id: str) -> bool:
    """Whether any device is in the call."""
    return bool(tx.scalar(_ALL_STAYS, of_call=call_id))


def is_there(tx: Queries, call_id: str, user_id: str) -> bool:
    """Whether a device of this user is in the call."""
    return bool(tx.scalar(_LIVE_STAYS, of_call=call_id, of_user=user_id))
