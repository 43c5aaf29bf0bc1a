"""Read and delivery marks: how far users have read or received conversations.

`seq` is the mark, and `told_seq` its published value. A step stores when a mark was published.
`unread_from` is the first number that the user marked as unread; others never learn of it.
"""

from datetime import datetime
from typing import Literal

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    String,
    Table,
    bindparam,
    delete,
    func,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import DeleteRow, Export, KeepRow, personal

marks = Table(
    "marks",
    metadata,
    Column("conversation_id", String(36), ForeignKey("conversations.id"), primary_key=True),
    Column("user_id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("kind", String(10), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("told_seq", BigInteger, nullable=False),
    Column("told_at", Instant),
    Column("unread_from", BigInteger),
    info=personal(
        on_erasure_of={"user_id": KeepRow()},
        unchanged="conversation_id user_id kind seq told_seq told_at unread_from",
        export=Export(
            file="read_marks",
            description="How far you have read or received each conversation, and from which "
            "number on you marked it as unread.",
            columns="conversation_id kind seq unread_from",
        ),
        not_exported="user_id told_seq told_at",
        narrowed_by={"conversation_id": "conversation_members.conversation_id"},
    ),
)


steps = Table(
    "mark_steps",
    metadata,
    Column("conversation_id", String(36), ForeignKey("conversations.id"), primary_key=True),
    Column("user_id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("kind", String(10), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("at", Instant, nullable=False, index=True),
    info=personal(
        on_erasure_of={"user_id": DeleteRow()},
        export=Export(
            file="read_moments",
            description="When you recently read or received messages.",
            columns="conversation_id kind seq at",
        ),
        not_exported="user_id",
        narrowed_by={"conversation_id": "conversation_members.conversation_id"},
    ),
)


MarkKind = Literal["read", "delivered"]


class Reached(msgspec.Struct):
    """A user has read or received a message; `at` is when that was first published, if known."""

    user_id: str
    kind: MarkKind
    at: datetime | None


class Mark(msgspec.Struct):
    """How far a user has read or received a conversation, and how much of that was published."""

    conversation_id: str
    user_id: str
    kind: MarkKind
    seq: int
    told_seq: int
    told_at: datetime | None
    unread_from: int | None = None


_k = marks.c
_CHANGING = ("seq", "told_seq", "told_at", "unread_from")
_mark = insert(marks)
_KEEP_MARK = _mark.on_conflict_do_update(
    index_elements=[_k.conversation_id, _k.user_id, _k.kind],
    set_={name: _mark.excluded[name] for name in _CHANGING},
)
_LOCK_MARK = (
    select(marks)
    .where(
        _k.conversation_id == bindparam("of_conversation"),
        _k.user_id == bindparam("of_user"),
        _k.kind == bindparam("of_kind"),
    )
    .with_for_update()
)
_BEGIN_MARK = insert(marks).on_conflict_do_nothing(
    index_elements=[_k.conversation_id, _k.user_id, _k.kind]
)
_STEP = insert(steps).on_conflict_do_nothing()
_t = steps.c
_FIRST = (
    select(func.min(_t.at))
    .where(
        _t.conversation_id == _k.conversation_id,
        _t.user_id == _k.user_id,
        _t.kind == _k.kind,
        _t.seq >= bindparam("from_seq"),
    )
    .correlate(marks)
    .scalar_subquery()
)
_REACHED = (
    select(_k.user_id, _k.kind, _FIRST)
    .where(_k.conversation_id == bindparam("of_conversation"), _k.told_seq >= bindparam("from_seq"))
    .order_by(_k.user_id)
)
_OLD_STEPS = (
    select(_t.conversation_id, _t.user_id, _t.kind, _t.seq)
    .where(_t.at < bindparam("before"))
    .limit(bindparam("limit"))
)
_FORGET_STEPS = delete(steps).where(
    tuple_(_t.conversation_id, _t.user_id, _t.kind, _t.seq).in_(_OLD_STEPS)
)
_MARKS = select(marks).where(_k.conversation_id.in_(bindparam("conversation_ids", expanding=True)))

_UNTOLD = select(marks).where(
    _k.conversation_id.in_(bindparam("conversation_ids", expanding=True)),
    _k.user_id == bindparam("of_user"),
    _k.kind == bindparam("of_kind"),
    _k.seq > _k.told_seq,
)


def keep_mark(tx: Queries, mark: Mark) -> None:
    tx.run(_KEEP_MARK, **msgspec.structs.asdict(mark))


def lock_mark(tx: Queries, conversation_id: str, user_id: str, kind: MarkKind) -> Mark:
    """The mark, created if there is none, and locked until the commit."""
    this = {"of_conversation": conversation_id, "of_user": user_id, "of_kind": kind}
    found = tx.one(Mark, _LOCK_MARK, **this)
    if found is None:
        fresh = Mark(conversation_id, user_id, kind, 0, 0, None)
        tx.run(_BEGIN_MARK, **msgspec.structs.asdict(fresh))
        found = tx.one(Mark, _LOCK_MARK, **this) or fresh
    return found


def list_marks(tx: Queries, conversation_ids: list[str]) -> list[Mark]:
    return tx.all(Mark, _MARKS, conversation_ids=conversation_ids)


def list_untold(tx: Queries, conversation_ids: list[str], user_id: str, kind: str) -> list[str]:
    """The ids of those conversations in which a user's mark is ahead of what was published."""
    rows = tx.all(Mark, _UNTOLD, conversation_ids=conversation_ids, of_user=user_id, of_kind=kind)
    return [row.conversation_id for row in rows]


def insert_step(tx: Queries, mark: Mark) -> None:
    """Store when a mark was published, for later queries of receipts."""
    tx.run(
        _STEP,
        conversation_id=mark.conversation_id,
        user_id=mark.user_id,
        kind=mark.kind,
        seq=mark.told_seq,
        at=mark.told_at,
    )


def list_reached(tx: Queries, conversation_id: str, seq: int) -> list[Reached]:
    """The users whose published marks have reached number `seq` of a conversation."""
    return tx.all(Reached, _REACHED, of_conversation=conversation_id, from_seq=seq)


def forget_steps(tx: Queries, *, before: datetime, limit: int) -> int:
    """Delete steps older than `before`; returns how many."""
    return tx.run(_FORGET_STEPS, before=before, limit=limit)
