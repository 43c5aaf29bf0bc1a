"""Add the video provider of calls, and when it saw their participants."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_29_video_calls"
down_revision = "2026_11_29_user_reminders"
branch_labels = None
depends_on = None

INSTANT = sa.String(27)  # UTC as ISO 8601 text


def upgrade() -> None:
    op.add_column(
        "calls", sa.Column("provider", sa.String(20), nullable=False, server_default="browser")
    )
    op.create_table(
        "call_provider_stays",
        sa.Column("call_id", sa.String(36), nullable=False),
        sa.Column("session", sa.String(64), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("joined_at", INSTANT, nullable=False),
        sa.Column("left_at", INSTANT),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], "fk_call_provider_stays_call_id"),
        sa.PrimaryKeyConstraint("call_id", "session", name="pk_call_provider_stays"),
    )
    op.create_index("ix_call_provider_stays_user_id", "call_provider_stays", ["user_id"])
