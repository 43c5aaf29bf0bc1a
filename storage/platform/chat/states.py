"""A user's private state of a conversation: muted, archived, and their draft."""

from datetime import datetime

import msgspec
from sqlalchemy import Boolean, Column, ForeignKey, String, Table, Text, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import DeleteRow, Export, personal

states = Table(
    "conversation_states",
    metadata,
    Column("conversation_id", String(36), ForeignKey("conversations.id"), primary_key=True),
    Column("user_id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("muted_until", Instant),
    Column("archived", Boolean, nullable=False),
    Column("draft", Text, nullable=False),
    info=personal(
        on_erasure_of={"user_id": DeleteRow()},
        export=Export(
            file="conversation_states",
            description="Conversations that you muted or archived, and your drafts.",
            columns="conversation_id muted_until archived draft",
        ),
        not_exported="user_id",
        narrowed_by={"conversation_id": "conversation_members.conversation_id"},
    ),
)


class StateRow(msgspec.Struct):
    conversation_id: str
    user_id: str
    muted_until: datetime | None = None
    archived: bool = False
    draft: str = ""


_s = states.c
_insert = insert(states)
_KEEP = _insert.on_conflict_do_update(
    index_elements=[_s.conversation_id, _s.user_id],
    set_={name: _insert.excluded[name] for name in ("muted_until", "archived", "draft")},
)
_OF_PERSON = select(states).where(
    _s.user_id == bindparam("of_user"),
    _s.conversation_id.in_(bindparam("conversation_ids", expanding=True)),
)


_CLEAR_DRAFT = (
    update(states)
    .where(
        _s.conversation_id == bindparam("of_conversation"),
        _s.user_id == bindparam("of_user"),
        _s.draft != "",
    )
    .values(draft="")
)


def keep_state(tx: Queries, row: StateRow) -> None:
    tx.run(_KEEP, **msgspec.structs.asdict(row))


def clear_draft(tx: Queries, conversation_id: str, user_id: str) -> None:
    tx.run(_CLEAR_DRAFT, of_conversation=conversation_id, of_user=user_id)


def list_states(tx: Queries, user_id: str, conversation_ids: list[str]) -> dict[str, StateRow]:
    """A user's states by conversation; without conversations that have none."""
    rows = tx.all(StateRow, _OF_PERSON, of_user=user_id, conversation_ids=conversation_ids)
    return {row.conversation_id: row for row in rows}
