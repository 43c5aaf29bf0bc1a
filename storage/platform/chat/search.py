"""Where words were said: each database's own full text behind one function.

Words are letters and digits, in lower case, and found by how they begin. What is found comes in the
order in which it was said, the newest first, so that a page costs as much as it shows: SQLite reads
its index from the end; PostgreSQL reads it whole where few messages have the words, and else goes
back over messages themselves until it has a page (its `OFFSET 0` keeps the index out of that, which
would read and sort them all).

SQLite's index is a little behind: new messages are noted, and indexed many at once. Who searches
lets it catch up before.

What the reader may not read is left out here, not from the page that was found: where it ends would
tell of words in what is hidden, or was said while one was out.
"""

import re
from typing import Any

from sqlalchemy import String, TextualSelect, bindparam, text

from storage.engine.database import Queries
from storage.platform.chat.messages import MessageRow, messages

WORDS_MAX = 8
FEW = 2_000
"""So many hits PostgreSQL sorts; where there are more, they cannot be far apart."""
NEWEST = "~"
_WORD = re.compile(r"[^\W_]+")
_COLUMNS = tuple(messages.c)
_SHOWN = ", ".join(f"messages.{column.name}" for column in _COLUMNS)
_READABLE = """NOT messages.hidden
    AND EXISTS (SELECT 1 FROM conversation_members stay
        WHERE stay.conversation_id = messages.conversation_id AND stay.user_id = :reader
        AND messages.said_seq >= stay.from_seq
        AND (stay.to_seq IS NULL OR messages.said_seq <= stay.to_seq))
    AND NOT EXISTS (SELECT 1 FROM message_removals removal
        WHERE removal.user_id = :reader AND removal.message_id = messages.id)"""


def _searching(sql: str) -> TextualSelect:
    words = [bindparam(name, type_=String) for name in ("query", "before", "reader")]
    return (
        text(sql.format(shown=_SHOWN, few=FEW, readable=_READABLE))
        .bindparams(*words)
        .columns(*_COLUMNS)
    )


_IN_SQLITE = _searching(
    """SELECT {shown} FROM message_search CROSS JOIN messages
            ON messages.id = substr(message, 1, 8) || '-' || substr(message, 9, 4) || '-' ||
                substr(message, 13, 4) || '-' || substr(message, 17, 4) || '-' ||
                substr(message, 21)
        WHERE message_search MATCH :query AND message_search.rowid < coalesce(
                (SELECT rowid FROM message_search
                 WHERE message_search MATCH 'message : "' || replace(:before, '-', '') || '"'),
                9223372036854775807)
            AND {readable}
        ORDER BY message_search.rowid DESC LIMIT :limit"""
)
_IN_POSTGRESQL = _searching(
    """WITH found AS MATERIALIZED (
            SELECT id FROM messages
            WHERE terms @@ CAST(:query AS tsquery) AND id < :before LIMIT {few} + 1
        )
        (SELECT {shown} FROM messages WHERE (SELECT count(*) FROM found) <= {few}
            AND id IN (SELECT id FROM found) AND {readable} ORDER BY id DESC LIMIT :limit)
        UNION ALL
        (SELECT {shown} FROM
            (SELECT * FROM messages WHERE id < :before ORDER BY id DESC OFFSET 0) messages
            WHERE (SELECT count(*) FROM found) > {few} AND terms @@ CAST(:query AS tsquery)
            AND {readable} ORDER BY id DESC LIMIT :limit)"""
)

_IS_BEHIND = text("SELECT EXISTS (SELECT 1 FROM message_search_noted)")
_INDEX_NOTED = text(
    """INSERT INTO message_search (text, conversation, message)
        SELECT text || ' ' || coalesce(json_extract(card_data, '$.name'), ''),
            replace(conversation_id, '-', ''), replace(id, '-', '')
        FROM message_search_noted CROSS JOIN messages ON id = message_id ORDER BY number"""
)
_FORGET_NOTED = text("DELETE FROM message_search_noted")
_MERGE = text("INSERT INTO message_search (message_search, rank) VALUES ('merge', :pages)")
_CHANGES = text("SELECT total_changes()")
PAGES = -200
"""So much of the index is written anew at a time, below zero so that in the end all of it is."""


def words_of(asked: str) -> list[str]:
    """The words that somebody looks for, at most so many."""
    return _WORD.findall(asked.lower())[:WORDS_MAX]


def is_behind(tx: Queries) -> bool:
    """Whether something was said that the index does not know yet."""
    return tx.dialect == "sqlite" and bool(tx.scalar(_IS_BEHIND))


def catch_up(tx: Queries) -> None:
    """Let the index know what was said up to now: a few hundred messages at most."""
    tx.run(_INDEX_NOTED)
    tx.run(_FORGET_NOTED)


def list_said(
    tx: Queries,
    reader_id: str,
    words: list[str],
    conversation_ids: list[str],
    before: str | None,
    limit: int,
) -> list[MessageRow]:
    """What somebody may read in these conversations with all these words, before a message.

    The newest comes first.

    As far as the index knows: see `is_behind`.
    """
    page: dict[str, Any] = {"reader": reader_id, "before": before or NEWEST, "limit": limit}
    if tx.dialect == "sqlite":
        query = _for_sqlite(words, conversation_ids)
        return tx.all(MessageRow, _IN_SQLITE, query=query, **page)
    query = _for_postgresql(words, conversation_ids)
    return tx.all(MessageRow, _IN_POSTGRESQL, query=query, **page)


def forget_words(tx: Queries, limit: int) -> int:
    """Write SQLite's index anew without what messages say no more; `limit` when there is more.

    It only notes that a word is gone, and keeps the word until it merges its parts.
    """
    if tx.dialect != "sqlite":
        return 0
    before = tx.scalar(_CHANGES)
    tx.run(_MERGE, pages=PAGES)
    return limit if tx.scalar(_CHANGES) - before > 1 else 0


def _for_sqlite(words: list[str], conversation_ids: list[str]) -> str:
    begun = " AND ".join(f'"{word}" *' for word in words)
    there = " OR ".join('"' + one.replace("-", "") + '"' for one in conversation_ids)
    return f"text : ({begun}) AND conversation : ({there})"


def _for_postgresql(words: list[str], conversation_ids: list[str]) -> str:
    begun = " & ".join(f"'{word}':*" for word in words)
    there = " | ".join(f"'@{one}'" for one in conversation_ids)
    return f"({begun}) & ({there})"
