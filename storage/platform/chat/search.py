"""Message search: one function over the full-text search of both databases.

Words are folded and matched by prefix, or anywhere in scripts without spaces (`terms.py`). Matches
are ordered by age, the newest first, so that the cost depends on the page and not on the number of
matches:
- SQLite reads its index from the end.
- PostgreSQL reads all matches from its index if there are few. Otherwise it scans the messages
  backwards until the page is full. There, `OFFSET 0` keeps the planner from using the index, which
  would read and sort all matches.

The index can lag a little (`search_index.py`). A search lets it catch up first.

The statements exclude messages that the reader must not read. If code removed them afterwards, the
lengths of pages would reveal words in hidden messages, and in messages of conversations that the
reader was not a member of at the time.
"""

from typing import Any

from sqlalchemy import String, TextualSelect, bindparam, text

from storage.engine.database import Queries
from storage.platform.chat.messages import MessageRow, messages
from storage.platform.chat.search_index import as_term
from storage.platform.chat.search_index import catch_up as catch_up
from storage.platform.chat.search_index import is_behind as is_behind
from storage.platform.chat.terms import Phrase, phrases_of
from storage.platform.chat.terms import words_of as words_of

FEW = 2_000
"""The maximum number of matches that PostgreSQL sorts. With more, a scan soon fills a page."""
NEWEST = "~"
_COLUMNS = tuple(messages.c)
_SHOWN = ", ".join(f"messages.{column.name}" for column in _COLUMNS)
_READABLE = """NOT messages.hidden
    AND EXISTS (SELECT 1 FROM conversation_members stay
        WHERE stay.conversation_id = messages.conversation_id AND stay.user_id = :reader
        AND messages.said_seq >= stay.from_seq
        AND (stay.to_seq IS NULL OR messages.said_seq <= stay.to_seq))
    AND NOT EXISTS (SELECT 1 FROM message_removals removal
        WHERE removal.user_id = :reader AND removal.message_id = messages.id)"""


def _statement(sql: str) -> TextualSelect:
    texts = [bindparam(name, type_=String) for name in ("query", "before", "reader")]
    return (
        text(sql.format(shown=_SHOWN, few=FEW, readable=_READABLE))
        .bindparams(*texts)
        .columns(*_COLUMNS)
    )


_IN_SQLITE = _statement(
    """SELECT {shown} FROM message_search CROSS JOIN messages
            ON messages.id = substr(message, 1, 8) || '-' || substr(message, 9, 4) || '-' ||
                substr(message, 13, 4) || '-' || substr(message, 17, 4) || '-' ||
                substr(message, 21)
        WHERE message_search MATCH :query AND message_search.rowid < coalesce(
                (SELECT rowid FROM message_search
                 WHERE message_search MATCH 'message : "' || replace(:before, '-', '') || '"'),
                (SELECT number FROM message_search_noted WHERE message_id = :before),
                9223372036854775807)
            AND {readable}
        ORDER BY message_search.rowid DESC LIMIT :limit"""
)
_IN_POSTGRESQL = _statement(
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

_MERGE = text("INSERT INTO message_search (message_search, rank) VALUES ('merge', :pages)")
_CHANGES = text("SELECT total_changes()")
MERGE_PAGES = -200
"""The pages merged at a time. A negative number makes FTS5 merge the whole index in the
end."""


def list_matches(
    tx: Queries,
    reader_id: str,
    words: list[str],
    conversation_ids: list[str],
    before: str | None,
    limit: int,
) -> list[MessageRow]:
    """Messages in these conversations that contain all words and that the reader can read.

    `words` are those of `words_of`. The messages are older than the message `before`, and the
    newest comes first. Messages that are not indexed yet are missing: see `is_behind`.
    """
    page: dict[str, Any] = {"reader": reader_id, "before": before or NEWEST, "limit": limit}
    if tx.dialect == "sqlite":
        query = _for_sqlite(words, conversation_ids)
        return tx.all(MessageRow, _IN_SQLITE, query=query, **page)
    query = _for_postgresql(words, conversation_ids)
    return tx.all(MessageRow, _IN_POSTGRESQL, query=query, **page)


def forget_words(tx: Queries, limit: int) -> int:
    """Merge a part of SQLite's index; returns `limit` if there is more to merge, otherwise 0.

    FTS5 only marks a word as deleted, and keeps the word itself until it merges its segments.
    """
    if tx.dialect != "sqlite":
        return 0
    before = tx.scalar(_CHANGES)
    tx.run(_MERGE, pages=MERGE_PAGES)
    return limit if tx.scalar(_CHANGES) - before > 1 else 0


def _for_sqlite(words: list[str], conversation_ids: list[str]) -> str:
    wanted = " AND ".join(map(_sqlite_phrase, phrases_of(words)))
    there = " OR ".join(f'"{as_term(one)}"' for one in conversation_ids)
    return f"text : ({wanted}) AND conversation : ({there})"


def _sqlite_phrase(phrase: Phrase) -> str:
    terms, begins = phrase
    return f'"{" ".join(terms)}"{" *" if begins else ""}'


def _for_postgresql(words: list[str], conversation_ids: list[str]) -> str:
    wanted = " & ".join(map(_postgresql_phrase, phrases_of(words)))
    there = " | ".join(f"'@{one}'" for one in conversation_ids)
    return f"({wanted}) & ({there})"


def _postgresql_phrase(phrase: Phrase) -> str:
    terms, begins = phrase
    listed = " <-> ".join(f"'{term}'" for term in terms)
    return f"({listed}{':*' if begins else ''})"
