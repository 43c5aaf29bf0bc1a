"""Words to search for: kept by the databases themselves, beside each message.

On SQLite a full-text table that triggers keep; its rows stay and are numbered in the order in which
messages came. On PostgreSQL a column of the message's own. Both hold the conversation as a word, so
that a search reads nothing of other conversations.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BETWEEN_WORDS = """!"#$%&''()*+,-./:;<=>?@[\\]^_`{|}~"""
"""ASCII's punctuation (with `'` doubled, as SQL wants it); PostgreSQL would make hosts of it."""

SQLITE = (
    """CREATE VIRTUAL TABLE message_search USING fts5(
        text, conversation, message, tokenize = 'unicode61 remove_diacritics 0')""",
    """INSERT INTO message_search (text, conversation, message)
        SELECT text || ' ' || coalesce(json_extract(card_data, '$.name'), ''),
            replace(conversation_id, '-', ''), replace(id, '-', '')
        FROM messages WHERE kind IN ('text', 'media') ORDER BY id""",
    """CREATE TRIGGER message_search_begin AFTER INSERT ON messages
    WHEN new.kind IN ('text', 'media')
    BEGIN
        INSERT INTO message_search (text, conversation, message)
        VALUES (new.text || ' ' || coalesce(json_extract(new.card_data, '$.name'), ''),
            replace(new.conversation_id, '-', ''), replace(new.id, '-', ''));
    END""",
    """CREATE TRIGGER message_search_change AFTER UPDATE OF text, card_data ON messages
    WHEN new.kind IN ('text', 'media')
    BEGIN
        UPDATE message_search
        SET text = new.text || ' ' || coalesce(json_extract(new.card_data, '$.name'), '')
        WHERE rowid = (SELECT rowid FROM message_search
            WHERE message_search MATCH 'message : ' || replace(new.id, '-', ''));
    END""",
)
POSTGRESQL = (
    f"""ALTER TABLE messages ADD COLUMN terms tsvector GENERATED ALWAYS AS (
        CASE WHEN kind IN ('text', 'media') THEN
            to_tsvector('simple', translate(
                text || ' ' || coalesce(card_data::json ->> 'name', ''),
                '{BETWEEN_WORDS}', repeat(' ', 32)))
            || array_to_tsvector(ARRAY['@' || conversation_id])
        END) STORED""",
    "CREATE INDEX ix_messages_terms ON messages USING gin (terms)",
)


def upgrade() -> None:
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.get_bind().exec_driver_sql(statement)
