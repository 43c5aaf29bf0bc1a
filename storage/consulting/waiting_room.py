"""Waiting rooms: the places in order of arrival, and the number and length of past calls."""

from datetime import datetime

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
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import DeleteRow, Export, KeepRow, not_personal, personal

waiting_rooms = Table(
    "waiting_rooms",
    metadata,
    Column("block_id", String(36), primary_key=True),
    Column("consultant_id", String(36), ForeignKey("users.id"), nullable=False, index=True),
    Column("starts_at", Instant, nullable=False),
    Column("closes_at", Instant, nullable=False),
    Column("finished_calls", Integer, nullable=False),
    Column("talked_s", Integer, nullable=False),
    Column("call_id", String(36)),
    Column("call_started_at", Instant),
    Column("desk_at", Instant),
    info=personal(
        on_erasure_of={"consultant_id": KeepRow()},
        unchanged="block_id consultant_id starts_at closes_at finished_calls talked_s call_id "
        "call_started_at desk_at",
        export=Export(
            file="waiting_rooms",
            description="The waiting rooms of your blocks.",
            columns="block_id starts_at closes_at finished_calls talked_s",
        ),
        not_exported="consultant_id call_id call_started_at desk_at",
    ),
)
places = Table(
    "waiting_places",
    metadata,
    Column("booking_id", String(36), primary_key=True),
    Column("block_id", String(36), ForeignKey("waiting_rooms.block_id"), nullable=False),
    Column("student_id", String(36), ForeignKey("users.id"), nullable=False, index=True),
    Column("entered_at", Instant, nullable=False),
    Column("lost_at", Instant),
    Column("call_id", String(36)),
    Index("ix_waiting_places_block_id_entered_at", "block_id", "entered_at"),
    info=personal(
        on_erasure_of={"student_id": DeleteRow()},
        export=Export(
            file="waiting_places",
            description="Waiting rooms that you were in.",
            columns="booking_id block_id entered_at lost_at",
        ),
        not_exported="student_id call_id",
    ),
)
stays = Table(
    "waiting_stays",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("booking_id", String(36), nullable=False, index=True),
    Column("instance_id", String(36), nullable=False, index=True),
    info=not_personal("id booking_id instance_id"),
)


class RoomRow(msgspec.Struct):
    """A room; `call_id` is the consultant's current call, `desk_at` when they came to the queue."""

    block_id: str
    consultant_id: str
    starts_at: datetime
    closes_at: datetime
    finished_calls: int
    talked_s: int
    call_id: str | None
    call_started_at: datetime | None
    desk_at: datetime | None


class PlaceRow(msgspec.Struct):
    """A place; `call_id` is the call to which its student was admitted."""

    booking_id: str
    block_id: str
    student_id: str
    entered_at: datetime
    lost_at: datetime | None
    call_id: str | None


class Stay(msgspec.Struct):
    """One device of a waiting student."""

    id: str
    booking_id: str
    instance_id: str


_r, _p, _s = waiting_rooms.c, places.c, stays.c
_OPEN = insert(waiting_rooms).on_conflict_do_nothing(index_elements=[_r.block_id])
_ROOM = select(waiting_rooms).where(_r.block_id == bindparam("of_block"))
_LOCK_ROOM = _ROOM.with_for_update()
_UPDATE_ROOM = (
    update(waiting_rooms)
    .where(_r.block_id == bindparam("of_block"))
    .values(
        closes_at=bindparam("new_closes_at"),
        finished_calls=bindparam("new_finished_calls"),
        talked_s=bindparam("new_talked_s"),
        call_id=bindparam("new_call_id"),
        call_started_at=bindparam("new_call_started_at"),
        desk_at=bindparam("new_desk_at"),
    )
)
_INSERT_PLACE = insert(places)
_PLACE = select(places).where(_p.booking_id == bindparam("of_booking"))
_PLACES = (
    select(places)
    .where(_p.block_id == bindparam("of_block"))
    .order_by(_p.entered_at, _p.booking_id)
)
_MINE = select(places).where(_p.student_id == bindparam("of_student"))
_SET_LOST = (
    update(places)
    .where(_p.booking_id == bindparam("of_booking"))
    .values(lost_at=bindparam("new_lost_at"))
)
_SET_ADMITTED = (
    update(places)
    .where(_p.booking_id == bindparam("of_booking"))
    .values(call_id=bindparam("new_call_id"))
)
_OPEN_ROOMS = select(_r.block_id).where(
    _r.consultant_id == bindparam("of_consultant"), _r.closes_at > bindparam("now")
)
_DELETE_PLACE = delete(places).where(_p.booking_id == bindparam("of_booking"))
_INSERT_STAY = insert(stays).on_conflict_do_nothing(index_elements=[_s.id])
_DELETE_STAY = delete(stays).where(_s.id == bindparam("lease_id"))
_DELETE_STAYS = delete(stays).where(_s.booking_id == bindparam("of_booking"))
_COUNT_STAYS = select(func.count()).where(_s.booking_id == bindparam("of_booking"))
_OF_INSTANCE = (
    select(stays)
    .where(_s.instance_id == bindparam("of_instance"))
    .order_by(_s.booking_id)
    .limit(bindparam("limit"))
)


def open_room(tx: Queries, row: RoomRow) -> RoomRow:
    """The block's room, locked until the commit; inserts `row` if there is none."""
    tx.run(_OPEN, **msgspec.structs.asdict(row))
    return lock_room(tx, row.block_id) or row


def find_room(tx: Queries, block_id: str) -> RoomRow | None:
    return tx.one(RoomRow, _ROOM, of_block=block_id)


def lock_rooms(tx: Queries, *block_ids: str) -> None:
    """Lock several rooms in a fixed order, so that concurrent swaps cannot deadlock."""
    for block_id in sorted(block_ids):
        lock_room(tx, block_id)


def lock_room(tx: Queries, block_id: str) -> RoomRow | None:
    """The room, with its queue, locked until the commit; None if it does not exist."""
    return tx.one(RoomRow, _LOCK_ROOM, of_block=block_id)


def update_room(tx: Queries, row: RoomRow) -> None:
    tx.run(
        _UPDATE_ROOM,
        of_block=row.block_id,
        new_closes_at=row.closes_at,
        new_finished_calls=row.finished_calls,
        new_talked_s=row.talked_s,
        new_call_id=row.call_id,
        new_call_started_at=row.call_started_at,
        new_desk_at=row.desk_at,
    )


def insert_place(tx: Queries, row: PlaceRow) -> None:
    tx.run(_INSERT_PLACE, **msgspec.structs.asdict(row))


def find_place(tx: Queries, booking_id: str) -> PlaceRow | None:
    return tx.one(PlaceRow, _PLACE, of_booking=booking_id)


def list_places(tx: Queries, block_id: str) -> list[PlaceRow]:
    """The queue of a block, in order of arrival."""
    return tx.all(PlaceRow, _PLACES, of_block=block_id)


def list_places_of(tx: Queries, student_id: str) -> list[PlaceRow]:
    return tx.all(PlaceRow, _MINE, of_student=student_id)


def set_lost(tx: Queries, booking_id: str, at: datetime | None) -> None:
    tx.run(_SET_LOST, of_booking=booking_id, new_lost_at=at)


def set_admitted(tx: Queries, booking_id: str, call_id: str | None) -> None:
    """Record the call to which the student of a place was admitted; None puts it into the queue."""
    tx.run(_SET_ADMITTED, of_booking=booking_id, new_call_id=call_id)


def list_open_rooms(tx: Queries, consultant_id: str, now: datetime) -> list[str]:
    """The ids of the blocks of a consultant whose waiting rooms are open."""
    return tx.scalars(_OPEN_ROOMS, of_consultant=consultant_id, now=now)


def delete_place(tx: Queries, booking_id: str) -> None:
    tx.run(_DELETE_PLACE, of_booking=booking_id)
    tx.run(_DELETE_STAYS, of_booking=booking_id)


def insert_stay(tx: Queries, stay: Stay) -> None:
    """Insert a stay, unless this device already has one."""
    tx.run(_INSERT_STAY, **msgspec.structs.asdict(stay))


def end_stay(tx: Queries, lease_id: str) -> bool:
    """Delete a stay; returns whether it existed."""
    return tx.run(_DELETE_STAY, lease_id=lease_id) == 1


def count_stays(tx: Queries, booking_id: str) -> int:
    return int(tx.scalar(_COUNT_STAYS, of_booking=booking_id))


def list_stays_of_instance(tx: Queries, instance_id: str, limit: int) -> list[Stay]:
    return tx.all(Stay, _OF_INSTANCE, of_instance=instance_id, limit=limit)
