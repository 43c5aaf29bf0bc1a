"""Words to search for are put into SQLite's index many at once.

Its full text writes a piece of index for each commit, which costs more than the message itself. So
a new message is only noted; so many are indexed together, by the trigger at the last of them or
by who searches before.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

SQLITE = (
    "DROP TRIGGER message_search_begin",
    "CREATE TABLE message_search_noted (number INTEGER PRIMARY KEY, message_id TEXT NOT NULL)",
    """CREATE TRIGGER message_search_begin AFTER INSERT ON messages
    WHEN new.kind IN ('text', 'media')
    BEGIN
        INSERT INTO message_search_noted (message_id) VALUES (new.id);
    END""",
    """CREATE TRIGGER message_search_full AFTER INSERT ON message_search_noted
    WHEN new.number >= 256
    BEGIN
        INSERT INTO message_search (text, conversation, message)
        SELECT text || ' ' || coalesce(json_extract(card_data, '$.name'), ''),
            replace(conversation_id, '-', ''), replace(id, '-', '')
        FROM message_search_noted CROSS JOIN messages ON id = message_id ORDER BY number;
        DELETE FROM message_search_noted;
    END""",
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for statement in SQLITE:
            op.get_bind().exec_driver_sql(statement)
