"""How far people have read (or got) conversations, and what of that was told to others."""

from datetime import datetime

import msgspec
from sqlalchemy import BigInteger, Column, ForeignKey, String, Table, bindparam, select
from sqlalchemy.dialects.postgresql import insert

from storage.columns import Instant, metadata
from storage.engine import Queries

marks = Table(
    "marks",
    metadata,
    Column("conversation_id", String(36), ForeignKey("conversations.id"), primary_key=True),
    Column("user_id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("kind", String(10), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("told_seq", BigInteger, nullable=False),
    Column("told_at", Instant),
)


class Mark(msgspec.Struct):
    """How far a person has read (or got) a conversation, and what of it was told to others."""

    conversation_id: str
    user_id: str
    kind: str
    seq: int
    told_seq: int
    told_at: datetime | None


_k = marks.c
_mark = insert(marks)
_KEEP_MARK = _mark.on_conflict_do_update(
    index_elements=[_k.conversation_id, _k.user_id, _k.kind],
    set_={name: _mark.excluded[name] for name in ("seq", "told_seq", "told_at")},
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
_MARKS = select(marks).where(_k.conversation_id.in_(bindparam("conversation_ids", expanding=True)))


def keep_mark(tx: Queries, mark: Mark) -> None:
    tx.run(_KEEP_MARK, **msgspec.structs.asdict(mark))


def lock_mark(tx: Queries, conversation_id: str, user_id: str, kind: str) -> Mark:
    """Found or begun, and held against other changes until the commit."""
    this = {"of_conversation": conversation_id, "of_user": user_id, "of_kind": kind}
    found = tx.one(Mark, _LOCK_MARK, **this)
    if found is None:
        fresh = Mark(conversation_id, user_id, kind, 0, 0, None)
        tx.run(_BEGIN_MARK, **msgspec.structs.asdict(fresh))
        found = tx.one(Mark, _LOCK_MARK, **this) or fresh
    return found


def list_marks(tx: Queries, conversation_ids: list[str]) -> list[Mark]:
    return tx.all(Mark, _MARKS, conversation_ids=conversation_ids)
