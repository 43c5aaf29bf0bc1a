"""Add what a notification is about and whether it is withdrawn, and hashes of sent messages."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_30_withdrawn"
down_revision = "2026_11_30_marked_unread"
branch_labels = None
depends_on = None

FILL = {
    "sqlite": """
        UPDATE notifications SET subject = 'message:' || json_extract(data, '$.message_id')
        WHERE kind = 'mentioned'
    """,
    "postgresql": """
        UPDATE notifications SET subject = 'message:' || (data::json ->> 'message_id')
        WHERE kind = 'mentioned'
    """,
}


def upgrade() -> None:
    op.add_column("messages", sa.Column("sent_hash", sa.String(64)))
    op.add_column("notifications", sa.Column("subject", sa.String(100)))
    op.add_column(
        "notifications",
        sa.Column("withdrawn", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.execute(FILL[op.get_bind().dialect.name])
    known = sa.text("subject IS NOT NULL")
    op.create_index(
        "ix_notifications_subject",
        "notifications",
        ["subject", "user_id"],
        sqlite_where=known,
        postgresql_where=known,
    )
