"""Bookings and their history."""

from datetime import datetime
from typing import Any, Literal

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
    asc,
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

from storage.engine.columns import Instant, Json, metadata
from storage.engine.database import Queries
from storage.engine.personal import ClearColumns, DeleteRow, Export, personal

LIVE = ("requested", "approved")
Part = Literal["asked", "coming", "past"]

bookings = Table(
    "bookings",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("student_id", String(36), ForeignKey("users.id"), nullable=False),
    Column("consultant_id", String(36), ForeignKey("users.id"), nullable=False),
    Column("topic_id", String(36), nullable=False),
    Column("topic_name", String(100), nullable=False, server_default=""),
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
    Column("terms", Json),
    Column("fee_percent", Integer, nullable=False, server_default="0"),
    Column("student_came_at", Instant),
    Column("consultant_came_at", Instant),
    Index("ix_bookings_student_id_id", "student_id", "id"),
    Index("ix_bookings_consultant_id_id", "consultant_id", "id"),
    Index("ix_bookings_student_id_starts_at", "student_id", "starts_at"),
    Index("ix_bookings_consultant_id_starts_at", "consultant_id", "starts_at"),
    info=personal(
        on_erasure_of={
            "student_id": ClearColumns({"note": "", "reason": None}),
            "consultant_id": ClearColumns({"topic_name": "Deleted", "reason": None}),
        },
        plain_json="terms",
        unchanged="id student_id consultant_id topic_id block_id starts_at ends_at "
        "status rate_amount rate_currency minimal_duration_minutes hold_expires_at version "
        "created_at call_held terms fee_percent student_came_at consultant_came_at",
        export=Export(
            file="bookings",
            description="Your bookings, as a student or a consultant, with the agreed terms.",
            columns="id student_id consultant_id topic_id topic_name block_id starts_at ends_at "
            "status note reason rate_amount rate_currency minimal_duration_minutes "
            "hold_expires_at created_at call_held terms fee_percent student_came_at "
            "consultant_came_at",
            only_for_author={"note": "student_id"},
        ),
        not_exported="version",
    ),
)
booking_steps = Table(
    "booking_steps",
    metadata,
    Column("booking_id", String(36), ForeignKey("bookings.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("status", String(20), nullable=False),
    Column("actor_id", String(36)),
    Column("reason", Text),
    Column("at", Instant, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Index("ix_booking_steps_actor_id", "actor_id"),
    info=personal(
        on_erasure_of={"actor_id": ClearColumns({"reason": None})},
        unchanged="booking_id version status actor_id at starts_at",
        export=Export(
            file="booking_steps",
            description="The changes of bookings that you made.",
            columns="booking_id status reason at starts_at",
        ),
        not_exported="version actor_id",
    ),
)
# A literal, not a bound value: otherwise the planner cannot use the partial index.
_ASKED = bookings.c.status == literal_column("'requested'")
Index(
    "ix_bookings_asked",
    bookings.c.student_id,
    bookings.c.consultant_id,
    sqlite_where=_ASKED,
    postgresql_where=_ASKED,
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
    """A booking; `…_came_at` is when each party was first seen at its hour."""

    id: str
    student_id: str
    consultant_id: str
    topic_id: str
    topic_name: str
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
    terms: dict[str, Any] | None
    fee_percent: int
    student_came_at: datetime | None
    consultant_came_at: datetime | None


class StepRow(msgspec.Struct):
    """One change of a booking: its status, version and start after the change."""

    booking_id: str
    version: int
    status: str
    actor_id: str | None
    """The user who made the change; None for the server."""
    reason: str | None
    at: datetime
    starts_at: datetime


_b, _i = bookings.c, instant_requests.c
_CHANGING = (
    "block_id",
    "starts_at",
    "ends_at",
    "status",
    "reason",
    "hold_expires_at",
    "version",
    "call_held",
    "fee_percent",
    "student_came_at",
    "consultant_came_at",
)
_INSERT = insert(bookings)
_FIND = select(bookings).where(_b.id == bindparam("booking_id"))
_LOCK = _FIND.with_for_update()
_UPDATE = (
    update(bookings)
    .where(_b.id == bindparam("booking_id"))
    .values(**{name: bindparam(f"new_{name}") for name in _CHANGING})
)


_ROLES = (_b.student_id, _b.consultant_id)


def _page(*more: ColumnElement[bool]) -> Executable:
    """A user's bookings, newest first; each role uses its own index, which has this order.

    Nobody can book themselves, so no booking is found in both roles.
    """
    mine = (
        select(bookings).where(role == bindparam("of_user"), _b.id < bindparam("before"), *more)
        for role in _ROLES
    )
    return union_all(*mine).order_by(desc("id")).limit(bindparam("limit"))


_LIST = _page()
_LIST_OF_STATUS = _page(_b.status == bindparam("of_status"))
_COMING = (_b.status == "approved") & (_b.ends_at > bindparam("now"))
_PAST = _b.status.not_in(LIVE) | ((_b.status == "approved") & (_b.ends_at <= bindparam("now")))


def _by_hour(part: ColumnElement[bool], *, newest_first: bool) -> Executable:
    """A part of a user's bookings by their start; each role uses its own index."""
    start: ColumnElement[datetime] = bindparam("after_start")
    same = _b.starts_at == start
    if newest_first:  # the first condition is for the index
        beyond = (_b.starts_at <= start) & (~same | (_b.id < bindparam("after_id")))
    else:
        beyond = (_b.starts_at >= start) & (~same | (_b.id > bindparam("after_id")))
    mine = (select(bookings).where(role == bindparam("of_user"), part, beyond) for role in _ROLES)
    way = desc if newest_first else asc
    return union_all(*mine).order_by(way("starts_at"), way("id")).limit(bindparam("limit"))


_LIST_ASKED = _by_hour(_ASKED, newest_first=False)
_LIST_COMING = _by_hour(_COMING, newest_first=False)
_LIST_PAST = _by_hour(_PAST, newest_first=True)
_INSERT_STEP = insert(booking_steps)
_STEPS = (
    select(booking_steps)
    .where(booking_steps.c.booking_id == bindparam("of_booking"))
    .order_by(desc(booking_steps.c.version))
    .limit(bindparam("limit"))
)
_CONSULTANT_CAME = (
    update(bookings)
    .where(
        _b.block_id == bindparam("of_block"),
        _b.status == "approved",
        _b.consultant_came_at.is_(None),
    )
    .values(consultant_came_at=bindparam("came_at"))
)
_COUNT_ASKED = select(func.count()).where(
    _b.student_id == bindparam("of_student"),
    _b.consultant_id == bindparam("of_consultant"),
    _ASKED,
    _b.hold_expires_at > bindparam("now"),
)
_OVERDUE = select(_b.id).where(
    _b.block_id == bindparam("of_block"),
    _b.status == "requested",
    _b.hold_expires_at <= bindparam("now"),
)
_TAKE_INSTANT = (
    insert(instant_requests)
    .on_conflict_do_nothing(index_elements=[_i.student_id, _i.consultant_id])
    .returning(_i.booking_id)
)
_INSTANT_HOLDER = select(_i.booking_id).where(
    _i.student_id == bindparam("of_student"), _i.consultant_id == bindparam("of_consultant")
)
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


def list_by_hour(
    tx: Queries, user_id: str, part: Part, now: datetime, after: tuple[datetime, str], limit: int
) -> list[BookingRow]:
    """A part of a user's bookings, in either role, by their start: past ones newest first.

    `after` is the start and the id of the booking before the first one.
    """
    values = {"of_user": user_id, "after_start": after[0], "after_id": after[1], "limit": limit}
    if part == "asked":
        return tx.all(BookingRow, _LIST_ASKED, **values)
    if part == "coming":
        return tx.all(BookingRow, _LIST_COMING, now=now, **values)
    return tx.all(BookingRow, _LIST_PAST, now=now, **values)


def insert_step(tx: Queries, row: StepRow) -> None:
    tx.run(_INSERT_STEP, **msgspec.structs.asdict(row))


def list_steps(tx: Queries, booking_id: str, limit: int) -> list[StepRow]:
    """The latest changes of a booking, newest first."""
    return tx.all(StepRow, _STEPS, of_booking=booking_id, limit=limit)


def note_consultant(tx: Queries, block_id: str, at: datetime) -> None:
    """Record that the consultant came to the approved bookings of a block."""
    tx.run(_CONSULTANT_CAME, of_block=block_id, came_at=at)


def count_asked(tx: Queries, student_id: str, consultant_id: str, now: datetime) -> int:
    """How many unanswered requests a student has with a consultant."""
    values = {"of_student": student_id, "of_consultant": consultant_id, "now": now}
    return int(tx.scalar(_COUNT_ASKED, **values))


def list_overdue(tx: Queries, block_id: str, now: datetime) -> list[str]:
    """The ids of requests for a block whose hold has expired."""
    return tx.scalars(_OVERDUE, of_block=block_id, now=now)


def take_instant(tx: Queries, student_id: str, consultant_id: str, booking_id: str) -> bool:
    """Reserve the one instant booking of this pair; returns False if there is a live one."""
    values = {"student_id": student_id, "consultant_id": consultant_id}
    return tx.scalar(_TAKE_INSTANT, **values, booking_id=booking_id) is not None


def find_instant_holder(tx: Queries, student_id: str, consultant_id: str) -> str | None:
    """The id of the live instant booking of this pair."""
    found: str | None = tx.scalar(
        _INSTANT_HOLDER, of_student=student_id, of_consultant=consultant_id
    )
    return found


def free_instant(tx: Queries, booking_id: str) -> None:
    """Let the pair have another instant booking."""
    tx.run(_FREE_INSTANT, of_booking=booking_id)
