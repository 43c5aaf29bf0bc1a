"""Pages behind links."""

import sqlalchemy as sa
from alembic import op

import storage.engine.columns

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "link_counts",
        sa.Column("key", sa.String(length=50), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("since", storage.engine.columns.Instant(length=27), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_link_counts")),
    )
    with op.batch_alter_table("link_counts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_link_counts_since"), ["since"], unique=False)

    op.create_table(
        "link_pages",
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.String(length=36), nullable=False),
        sa.Column("page", storage.engine.columns.Json(), nullable=True),
        sa.Column("at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_link_pages")),
    )
    with op.batch_alter_table("link_pages", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_link_pages_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_link_pages_message_id"), ["message_id"], unique=False)

    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.add_column(sa.Column("preview", storage.engine.columns.Json(), nullable=True))
