"""Add the number from which a user marked a conversation as unread."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_30_marked_unread"
down_revision = "2026_11_30_invisible_presence"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("marks", sa.Column("unread_from", sa.BigInteger()))
