"""Index messages by terms that the server makes, instead of words that each database finds.

Existing messages wait to be indexed; a search and housekeeping index them page by page, the newest
first, while the server runs.
"""

from alembic import op

revision = "2026_11_29_text_search"
down_revision = "2026_11_29_sent_mail"
branch_labels = None
depends_on = None

# SQLite: triggers note what must be indexed. Messages from before the index have numbers below zero
# in the order of their age, so that those of new messages are always higher.
SQLITE = (
    "DROP TRIGGER message_search_begin",
    "DROP TRIGGER message_search_full",
    "DROP TRIGGER message_search_change",
    "DROP TABLE message_search_noted",
    "DROP TABLE message_search",
    """CREATE VIRTUAL TABLE message_search USING fts5(
        text, conversation, message, tokenize = 'ascii', columnsize = 0)""",
    """CREATE TABLE message_search_noted (
        number INTEGER PRIMARY KEY AUTOINCREMENT, message_id TEXT NOT NULL)""",
    """INSERT INTO message_search_noted (number, message_id)
    SELECT -row_number() OVER (ORDER BY id DESC), id FROM messages
    WHERE kind IN ('text', 'media')""",
    """CREATE TRIGGER message_search_begin AFTER INSERT ON messages
    WHEN new.kind IN ('text', 'media')
    BEGIN
        INSERT INTO message_search_noted (message_id) VALUES (new.id);
    END""",
    """CREATE TRIGGER message_search_change AFTER UPDATE OF text, card_data ON messages
    WHEN new.kind IN ('text', 'media')
        AND (new.text IS NOT old.text OR new.card_data IS NOT old.card_data)
    BEGIN
        INSERT INTO message_search_noted (number, message_id)
        SELECT rowid, new.id FROM message_search
        WHERE message_search MATCH 'message : ' || replace(new.id, '-', '');
        DELETE FROM message_search
        WHERE rowid = (SELECT rowid FROM message_search
            WHERE message_search MATCH 'message : ' || replace(new.id, '-', ''));
    END""",
)
# PostgreSQL: the server writes the terms together with the message. A change of the text without
# new terms removes them, so that no text is found that was changed.
POSTGRESQL = (
    "DROP INDEX ix_messages_terms",
    "ALTER TABLE messages DROP COLUMN terms",
    "ALTER TABLE messages ADD COLUMN terms tsvector",
    "CREATE INDEX ix_messages_terms ON messages USING gin (terms)",
    """CREATE INDEX ix_messages_unindexed ON messages (id)
    WHERE terms IS NULL AND kind IN ('text', 'media')""",
    """CREATE FUNCTION forget_terms() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        new.terms := NULL;
        RETURN new;
    END $$""",
    """CREATE TRIGGER message_search_change BEFORE UPDATE OF text, card_data ON messages
    FOR EACH ROW WHEN ((new.text IS DISTINCT FROM old.text
        OR new.card_data IS DISTINCT FROM old.card_data)
        AND new.terms IS NOT DISTINCT FROM old.terms)
    EXECUTE FUNCTION forget_terms()""",
)


def upgrade() -> None:
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)
