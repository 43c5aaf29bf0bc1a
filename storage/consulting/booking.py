"""Bookings. The database rejects overlapping live bookings of one student."""

from datetime import datetime, timedelta

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Executable,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    bindparam,
    delete,
    desc,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import ClearColumns, DeleteRow, Export, personal

LIVE = ("requested", "approved")
QUARTER = timedelta(minutes=15)

bookings = Table(
    "bookings",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("student_id", String(36), ForeignKey("users.id"), nullable=False),
    Column("consultant_id", String(36), ForeignKey("users.id"), nullable=False),
    Column("topic_id", String(36), nullable=False),
    Column("block_id", String(36), index=True),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("status", String(20), nullable=False),
    Column("note", Text, nullable=False),
    Column("reason", Text),
    Column("rate_amount", BigInteger, nullable=False),
    Column("rate_currency", String(3), nullable=False),
    Column("minimal_duration_minutes", Integer, nullable=False),
    Column("hold_expires_at", Instant),
    Column("version", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("call_held", Boolean, nullable=False),
    Index("ix_bookings_student_id_id", "student_id", "id"),
    Index("ix_bookings_consultant_id_id", "consultant_id", "id"),
    info=personal(
        on_erasure_of={
            "student_id": ClearColumns({"note": "", "reason": None}),
            "consultant_id": ClearColumns({"reason": None}),
        },
        unchanged="id student_id consultant_id topic_id block_id starts_at ends_at status "
        "rate_amount rate_currency minimal_duration_minutes hold_expires_at version created_at "
        "call_held",
        export=Export(
            file="bookings",
            description="Your bookings, as a student or a consultant, with the agreed terms.",
            columns="id student_id consultant_id topic_id block_id starts_at ends_at status note "
            "reason rate_amount rate_currency minimal_duration_minutes hold_expires_at created_at "
            "call_held",
            only_for_author={"note": "student_id"},
        ),
        not_exported="version",
    ),
)
# Offsets of time zones are whole quarters of an hour: blocks that overlap share a quarter.
booked_quarters = Table(
    "booked_quarters",
    metadata,
    Column("student_id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("quarter", Instant, primary_key=True),
    Column("booking_id", String(36), ForeignKey("bookings.id"), nullable=False, index=True),
    info=personal(
        on_erasure_of={"student_id": DeleteRow()},
        not_exported="student_id quarter booking_id",
    ),
)
# A student has at most one live instant booking with a consultant.
instant_requests = Table(
    "instant_requests",
    metadata,
    Column("student_id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("consultant_id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("booking_id", String(36), ForeignKey("bookings.id"), nullable=False, index=True),
    info=personal(
        on_erasure_of={"student_id": DeleteRow()},
        not_exported="student_id consultant_id booking_id",
    ),
)


class BookingRow(msgspec.Struct):
    id: str
    student_id: str
    consultant_id: str
    topic_id: str
    block_id: str | None
    starts_at: datetime
    ends_at: datetime
    status: str
    note: str
    reason: str | None
    rate_amount: int
    rate_currency: str
    minimal_duration_minutes: int
    hold_expires_at: datetime | None
    version: int
    created_at: datetime
    call_held: bool


_b, _q, _i = bookings.c, booked_quarters.c, instant_requests.c
_CHANGING = (
    "block_id",
    "starts_at",
    "ends_at",
    "status",
    "reason",
    "hold_expires_at",
    "version",
    "call_held",
)
_INSERT = insert(bookings)
_FIND = select(bookings).where(_b.id == bindparam("booking_id"))
_LOCK = _FIND.with_for_update()
_UPDATE = (
    update(bookings)
    .where(_b.id == bindparam("booking_id"))
    .values(**{name: bindparam(f"new_{name}") for name in _CHANGING})
)


def _page(*more: ColumnElement[bool]) -> Executable:
    """A user's bookings, newest first; each role uses its own index, which has this order.

    Nobody can book themselves, so no booking is found in both roles.
    """
    roles = (_b.student_id, _b.consultant_id)
    mine = (
        select(bookings).where(role == bindparam("of_user"), _b.id < bindparam("before"), *more)
        for role in roles
    )
    return union_all(*mine).order_by(desc("id")).limit(bindparam("limit"))


_LIST = _page()
_LIST_OF_STATUS = _page(_b.status == bindparam("of_status"))
_OVERDUE = select(_b.id).where(
    _b.block_id == bindparam("of_block"),
    _b.status == "requested",
    _b.hold_expires_at <= bindparam("now"),
)
_TAKE_QUARTER = (
    insert(booked_quarters)
    .on_conflict_do_nothing(index_elements=[_q.student_id, _q.quarter])
    .returning(_q.booking_id)
)
_TAKE_INSTANT = (
    insert(instant_requests)
    .on_conflict_do_nothing(index_elements=[_i.student_id, _i.consultant_id])
    .returning(_i.booking_id)
)
_QUARTER_HOLDERS = (
    select(_q.booking_id)
    .where(
        _q.student_id == bindparam("of_student"),
        _q.quarter >= bindparam("first"),
        _q.quarter < bindparam("end"),
    )
    .distinct()
)
_INSTANT_HOLDER = select(_i.booking_id).where(
    _i.student_id == bindparam("of_student"), _i.consultant_id == bindparam("of_consultant")
)
_FREE_QUARTERS = delete(booked_quarters).where(_q.booking_id == bindparam("of_booking"))
_FREE_INSTANT = delete(instant_requests).where(_i.booking_id == bindparam("of_booking"))


def insert_booking(tx: Queries, row: BookingRow) -> None:
    tx.run(_INSERT, **msgspec.structs.asdict(row))


def find_booking(tx: Queries, booking_id: str) -> BookingRow | None:
    return tx.one(BookingRow, _FIND, booking_id=booking_id)


def lock_booking(tx: Queries, booking_id: str) -> BookingRow | None:
    """The row, locked until the commit; None if it does not exist."""
    return tx.one(BookingRow, _LOCK, booking_id=booking_id)


def update_booking(tx: Queries, row: BookingRow) -> None:
    """Save the columns of a booking that can change."""
    tx.run(_UPDATE, booking_id=row.id, **{f"new_{name}": getattr(row, name) for name in _CHANGING})


def list_bookings(
    tx: Queries, user_id: str, status: str | None, before: str, limit: int
) -> list[BookingRow]:
    """A user's bookings in either role, newest first."""
    if status is None:
        return tx.all(BookingRow, _LIST, of_user=user_id, before=before, limit=limit)
    return tx.all(
        BookingRow, _LIST_OF_STATUS, of_user=user_id, before=before, limit=limit, of_status=status
    )


def list_overdue(tx: Queries, block_id: str, now: datetime) -> list[str]:
    """The ids of requests for a block whose hold has expired."""
    return tx.scalars(_OVERDUE, of_block=block_id, now=now)


def take_quarters(
    tx: Queries, student_id: str, booking_id: str, starts_at: datetime, ends_at: datetime
) -> bool:
    """Reserve the student's time; returns False if it overlaps another live booking."""
    quarter = starts_at
    while quarter < ends_at:
        taken = tx.scalar(
            _TAKE_QUARTER, student_id=student_id, quarter=quarter, booking_id=booking_id
        )
        if taken is None:
            return False
        quarter += QUARTER
    return True


def take_instant(tx: Queries, student_id: str, consultant_id: str, booking_id: str) -> bool:
    """Reserve the one instant booking of this pair; returns False if there is a live one."""
    values = {"student_id": student_id, "consultant_id": consultant_id}
    return tx.scalar(_TAKE_INSTANT, **values, booking_id=booking_id) is not None


def list_quarter_holders(
    tx: Queries, student_id: str, starts_at: datetime, ends_at: datetime
) -> list[str]:
    """The ids of the student's live bookings within this time."""
    return tx.scalars(_QUARTER_HOLDERS, of_student=student_id, first=starts_at, end=ends_at)


def find_instant_holder(tx: Queries, student_id: str, consultant_id: str) -> str | None:
    """The id of the live instant booking of this pair."""
    found: str | None = tx.scalar(
        _INSTANT_HOLDER, of_student=student_id, of_consultant=consultant_id
    )
    return found


def free_time(tx: Queries, booking_id: str) -> None:
    """Release the student's time."""
    tx.run(_FREE_QUARTERS, of_booking=booking_id)
    tx.run(_FREE_INSTANT, of_booking=booking_id)
