"""Add the quality of users' connections in calls."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_29_video_quality"
down_revision = "2026_11_29_video_calls"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "call_quality",
        sa.Column("call_id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("quality", sa.String(10), nullable=False),
        sa.Column("path", sa.String(10), nullable=False),
        sa.Column("reported_at", sa.String(27), nullable=False),
        sa.Column("reports", sa.Integer(), nullable=False),
        sa.Column("poor", sa.Integer(), nullable=False),
        sa.Column("bad", sa.Integer(), nullable=False),
        sa.Column("loss_permille_sum", sa.BigInteger(), nullable=False),
        sa.Column("jitter_ms_sum", sa.BigInteger(), nullable=False),
        sa.Column("round_trip_ms_sum", sa.BigInteger(), nullable=False),
        sa.Column("received_kbps_sum", sa.BigInteger(), nullable=False),
        sa.Column("sent_kbps_sum", sa.BigInteger(), nullable=False),
        sa.Column("loss_permille_max", sa.Integer(), nullable=False),
        sa.Column("jitter_ms_max", sa.Integer(), nullable=False),
        sa.Column("round_trip_ms_max", sa.Integer(), nullable=False),
        sa.Column("freezes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], "fk_call_quality_call_id"),
        sa.PrimaryKeyConstraint("call_id", "user_id", name="pk_call_quality"),
    )
    op.create_index("ix_call_quality_user_id", "call_quality", ["user_id"])
    op.create_index("ix_call_quality_reported_at", "call_quality", ["reported_at"])
