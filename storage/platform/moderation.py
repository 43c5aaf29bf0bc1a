"""Moderation: flags from users, cases about messages, and the audit log."""

from datetime import datetime
from typing import Literal

import msgspec
from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    bindparam,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, Json, metadata
from storage.engine.database import Queries
from storage.engine.personal import ClearColumns, DeleteRow, Export, personal

Status = Literal["open", "dismissed", "hidden", "gone"]

cases = Table(
    "moderation_cases",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("message_id", String(36), nullable=False),
    Column("conversation_id", String(36), nullable=False),
    Column("sender_id", String(36)),
    Column("status", String(10), nullable=False),
    Column("flags", Integer, nullable=False),
    Column("reasons", Json, nullable=False),
    Column("hit", Text),
    Column("hidden", Boolean, nullable=False),
    Column("was_hidden", Boolean, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("decided_by", String(36)),
    Column("version", Integer, nullable=False),
    info=personal(
        on_erasure_of={"sender_id": ClearColumns({"hit": None})},
        unchanged="id message_id conversation_id sender_id status flags reasons hidden was_hidden "
        "opened_at closed_at decided_by version",
        export=Export(
            file="moderation_cases",
            description="Your messages that moderators review or have reviewed.",
            columns="id message_id status hidden opened_at closed_at",
        ),
        not_exported="conversation_id sender_id flags reasons hit was_hidden decided_by version",
        plain_json="reasons",
    ),
)
_OPEN = cases.c.closed_at.is_(None)
Index("ix_moderation_cases_message_id", cases.c.message_id)
Index("ix_moderation_cases_sender_id", cases.c.sender_id)
Index(
    "ix_moderation_cases_open",
    cases.c.message_id,
    unique=True,
    sqlite_where=_OPEN,
    postgresql_where=_OPEN,
)
Index("ix_moderation_cases_queue", cases.c.id, sqlite_where=_OPEN, postgresql_where=_OPEN)
flags = Table(
    "moderation_flags",
    metadata,
    Column("message_id", String(36), primary_key=True),
    Column("user_id", String(36), primary_key=True),
    Column("case_id", String(36), ForeignKey("moderation_cases.id"), nullable=False, index=True),
    Column("reason", String(20), nullable=False),
    Column("note", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("answered", Boolean, nullable=False),
    Index("ix_moderation_flags_user_id_at", "user_id", "at"),
    info=personal(
        on_erasure_of={"user_id": DeleteRow()},
        export=Export(
            file="moderation_flags",
            description="Messages that you flagged.",
            columns="message_id reason note at",
        ),
        not_exported="user_id case_id answered",
    ),
)
audit = Table(
    "moderation_audit",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("act", String(20), nullable=False),
    Column("actor_id", String(36)),
    Column("user_id", String(36)),
    Column("role", String(20)),
    Column("case_id", String(36)),
    Column("message_id", String(36)),
    Column("note", Text, nullable=False),
    Index("ix_moderation_audit_actor_id", "actor_id"),
    info=personal(
        on_erasure_of={"actor_id": ClearColumns({"note": ""})},
        unchanged="id at act actor_id user_id role case_id message_id",
        export=Export(
            file="moderation_audit",
            description="Your actions as a moderator.",
            columns="id at act role case_id message_id note",
        ),
        not_exported="actor_id user_id",
    ),
)


class CaseRow(msgspec.Struct):
    """A case; `reasons` counts its flags by reason, and `hit` is the match of the filter.

    `hidden` is whether the message is hidden, `was_hidden` whether it was before the decision.
    """

    id: str
    message_id: str
    conversation_id: str
    sender_id: str | None
    status: Status
    flags: int
    reasons: dict[str, int]
    hit: str | None
    hidden: bool
    was_hidden: bool
    opened_at: datetime
    closed_at: datetime | None
    decided_by: str | None
    version: int


class FlagRow(msgspec.Struct):
    """A user's flag on a message; `answered` once they got a notice that it was reviewed."""

    message_id: str
    user_id: str
    case_id: str
    reason: str
    note: str
    at: datetime
    answered: bool = False


class AuditRow(msgspec.Struct):
    """An act of a moderator; without an actor, of the operator or of the server itself."""

    id: str
    at: datetime
    act: str
    actor_id: str | None
    user_id: str | None
    role: str | None
    case_id: str | None
    message_id: str | None
    note: str


class RecentFlags(msgspec.Struct):
    """The number of recent flags, and the time of the first."""

    count: int
    first_at: datetime | None


_c, _f, _a = cases.c, flags.c, audit.c
_INSERT_CASE = insert(cases)
_FIND_CASE = select(cases).where(_c.id == bindparam("case_id"))
_LOCK_CASE = _FIND_CASE.with_for_update()
_OPEN_CASE = select(cases).where(_c.message_id == bindparam("of_message"), _OPEN).with_for_update()
_ALL_OF_MESSAGE = (
    select(cases)
    .where(_c.message_id == bindparam("of_message"))
    .order_by(_c.id)
    .limit(bindparam("limit"))
    .with_for_update()
)
_QUEUE = (
    select(cases).where(_OPEN, _c.id > bindparam("after")).order_by(_c.id).limit(bindparam("limit"))
)
_UPDATE_CASE = (
    update(cases)
    .where(_c.id == bindparam("case_id"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in (
                *("status", "flags", "reasons", "hit", "hidden", "was_hidden"),
                *("closed_at", "decided_by", "version"),
            )
        }
    )
)
_INSERT_FLAG = insert(flags)
_FIND_FLAG = select(flags).where(
    _f.message_id == bindparam("of_message"), _f.user_id == bindparam("of_user")
)
_FLAGS = (
    select(flags)
    .where(_f.case_id == bindparam("of_case"))
    .order_by(_f.at, _f.user_id)
    .limit(bindparam("limit"))
)
_RECENT = select(func.count(), func.min(_f.at, type_=Instant)).where(
    _f.user_id == bindparam("of_user"), _f.at > bindparam("since")
)
_ANSWER = (
    update(flags)
    .where(_f.case_id == bindparam("of_case"), _f.answered.is_(False))
    .values(answered=True)
    .returning(_f.user_id)
)
_FORGET_NOTES = update(flags).where(_f.message_id == bindparam("of_message")).values(note="")
_INSERT_AUDIT = insert(audit)
_AUDIT = (
    select(audit)
    .where(_a.id < bindparam("before"))
    .order_by(_a.id.desc())
    .limit(bindparam("limit"))
)


def insert_case(tx: Queries, case: CaseRow) -> None:
    tx.run(_INSERT_CASE, **msgspec.structs.asdict(case))


def find_case(tx: Queries, case_id: str) -> CaseRow | None:
    return tx.one(CaseRow, _FIND_CASE, case_id=case_id)


def lock_case(tx: Queries, case_id: str) -> CaseRow | None:
    """The case, locked until the commit."""
    return tx.one(CaseRow, _LOCK_CASE, case_id=case_id)


def lock_open_case(tx: Queries, message_id: str) -> CaseRow | None:
    """The open case of a message, if there is one, locked until the commit."""
    return tx.one(CaseRow, _OPEN_CASE, of_message=message_id)


def lock_cases(tx: Queries, message_id: str, limit: int) -> list[CaseRow]:
    """All cases of a message, the oldest first, locked until the commit."""
    return tx.all(CaseRow, _ALL_OF_MESSAGE, of_message=message_id, limit=limit)


def update_case(tx: Queries, case: CaseRow) -> None:
    tx.run(
        _UPDATE_CASE,
        case_id=case.id,
        new_status=case.status,
        new_flags=case.flags,
        new_reasons=case.reasons,
        new_hit=case.hit,
        new_hidden=case.hidden,
        new_was_hidden=case.was_hidden,
        new_closed_at=case.closed_at,
        new_decided_by=case.decided_by,
        new_version=case.version,
    )


def list_open_cases(tx: Queries, after: str, limit: int) -> list[CaseRow]:
    """Open cases with ids above `after`, the oldest first."""
    return tx.all(CaseRow, _QUEUE, after=after, limit=limit)


def insert_flag(tx: Queries, flag: FlagRow) -> None:
    tx.run(_INSERT_FLAG, **msgspec.structs.asdict(flag))


def find_flag(tx: Queries, message_id: str, user_id: str) -> FlagRow | None:
    return tx.one(FlagRow, _FIND_FLAG, of_message=message_id, of_user=user_id)


def list_flags(tx: Queries, case_id: str, limit: int) -> list[FlagRow]:
    """The flags of a case, the oldest first."""
    return tx.all(FlagRow, _FLAGS, of_case=case_id, limit=limit)


def count_recent_flags(tx: Queries, user_id: str, since: datetime) -> RecentFlags:
    """The flags of a user since then."""
    found = tx.one(RecentFlags, _RECENT, of_user=user_id, since=since)
    assert found is not None
    return found


def answer_flags(tx: Queries, case_id: str) -> list[str]:
    """Mark the unanswered flags of a case as answered; returns the ids of their users."""
    return sorted(tx.scalars(_ANSWER, of_case=case_id))


def forget_notes(tx: Queries, message_id: str) -> None:
    """Clear the notes of a message's flags: they may quote the message."""
    tx.run(_FORGET_NOTES, of_message=message_id)


def insert_audit(tx: Queries, row: AuditRow) -> None:
    tx.run(_INSERT_AUDIT, **msgspec.structs.asdict(row))


def list_audit(tx: Queries, before: str, limit: int) -> list[AuditRow]:
    """Audit rows with ids below `before`, the newest first."""
    return tx.all(AuditRow, _AUDIT, before=before, limit=limit)
