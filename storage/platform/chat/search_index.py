"""The full-text index of messages, by the terms of `storage/platform/chat/terms.py`.

Invariants:
- A changed text leaves the index in the same transaction, whoever changes it: triggers remove it.
- SQLite: triggers note each new or changed message. The 256th new one, a search or housekeeping
  indexes what is noted. FTS5 writes a segment for each commit, which would cost more than all other
  work for a message. The number of a message in the index is the one under which it was noted, and
  increases with the age order of messages.
- PostgreSQL: a message is indexed when it is written. Messages without terms were written before
  the index; a search or housekeeping indexes them.
- Both index the newest messages first, so that an index that is being rebuilt finds these.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Column, MetaData, String, Table, bindparam, text
from sqlalchemy.types import UserDefinedType

from storage.engine.database import Queries
from storage.platform.chat.terms import terms_of

BATCH = 256
"""SQLite indexes new messages in batches of this size."""
PAGE = 1_000
"""The maximum number of messages that a search indexes first."""
INDEXED_KINDS = ("text", "media")


class Unindexed(msgspec.Struct):
    """A message to index; `number` is 0 on PostgreSQL."""

    number: int
    id: str
    conversation_id: str
    text: str
    file_name: str | None


_COUNT_NEW = text(
    """SELECT count(*) FROM
        (SELECT 1 FROM message_search_noted WHERE number > 0 LIMIT :limit)"""
)
_IS_NOTED = text("SELECT EXISTS (SELECT 1 FROM message_search_noted)")
_NOTED = text(
    """SELECT number, id, conversation_id, text, json_extract(card_data, '$.name')
        FROM message_search_noted CROSS JOIN messages ON id = message_id
        ORDER BY number DESC LIMIT :limit"""
)
_FORGET = text("DELETE FROM message_search_noted WHERE number >= :lowest")
_INDEX = text(
    """INSERT INTO message_search (rowid, text, conversation, message)
        VALUES (:number, :terms, :conversation, :message)"""
)
_IS_WITHOUT_TERMS = text(
    """SELECT EXISTS (SELECT 1 FROM messages
        WHERE terms IS NULL AND kind IN ('text', 'media'))"""
)
_LIST_WITHOUT_TERMS = text(
    """SELECT 0, id, conversation_id, text, card_data::json ->> 'name'
        FROM messages WHERE terms IS NULL AND kind IN ('text', 'media')
        ORDER BY id DESC LIMIT :limit FOR UPDATE SKIP LOCKED"""
)
_SET_TERMS = text(
    "UPDATE messages SET terms = CAST(:terms AS tsvector) WHERE id = :message_id"
).bindparams(*(bindparam(name, type_=String) for name in ("terms", "message_id")))


class Terms(UserDefinedType[str]):
    """PostgreSQL's `tsvector`, as text."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "TSVECTOR"


def with_terms(table: Table) -> Table:
    """The table as PostgreSQL has it, with the column of the index."""
    indexed = table.to_metadata(MetaData())
    indexed.append_column(Column("terms", Terms))
    return indexed


def vector_of(kind: str, conversation_id: str, said: str, card_data: Any) -> str | None:
    """The `tsvector` of a message; None if messages of this kind are not searched."""
    if kind not in INDEXED_KINDS:
        return None
    name = card_data.get("name") if card_data else None
    return _vector(conversation_id, _terms(said, name))


def index_full_batch(tx: Queries) -> None:
    """On SQLite, index the new messages if they fill a batch."""
    if tx.scalar(_COUNT_NEW, limit=BATCH) == BATCH:
        catch_up(tx, BATCH)


def is_behind(tx: Queries) -> bool:
    """Whether messages wait to be indexed."""
    if tx.dialect == "sqlite":
        return bool(tx.scalar(_IS_NOTED))
    return bool(tx.scalar(_IS_WITHOUT_TERMS))


def catch_up(tx: Queries, limit: int = PAGE) -> int:
    """Index the newest waiting messages; returns their number, at most `limit`."""
    if tx.dialect == "sqlite":
        return _index_noted(tx, limit)
    return _set_missing_terms(tx, limit)


def _index_noted(tx: Queries, limit: int) -> int:
    rows = tx.all(Unindexed, _NOTED, limit=limit)
    if rows:
        tx.run(_FORGET, lowest=rows[-1].number)
    for row in reversed(rows):  # FTS5 writes a segment when a number is lower than the one before
        tx.run(
            _INDEX,
            number=row.number,
            terms=" ".join(_terms(row.text, row.file_name)),
            conversation=as_term(row.conversation_id),
            message=as_term(row.id),
        )
    return len(rows)


def _set_missing_terms(tx: Queries, limit: int) -> int:
    rows = tx.all(Unindexed, _LIST_WITHOUT_TERMS, limit=limit)
    tx.run_many(_SET_TERMS, [_with_vector(row) for row in rows])
    return len(rows)


def as_term(an_id: str) -> str:
    """An id as one term of SQLite's index."""
    return an_id.replace("-", "")


def _with_vector(row: Unindexed) -> dict[str, Any]:
    terms = _vector(row.conversation_id, _terms(row.text, row.file_name))
    return {"message_id": row.id, "terms": terms}


def _terms(said: str, file_name: str | None) -> list[str]:
    return terms_of(f"{said} {file_name}" if file_name else said)


def _vector(conversation_id: str, terms: Sequence[str]) -> str:
    placed = " ".join([f"'{term}':{at}" for at, term in enumerate(terms, 1)])
    return f"{placed} '@{conversation_id}'"
