"""Accounts as their owners know them."""

import sqlalchemy as sa
from alembic import op

import storage.engine.columns

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "push_devices",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("session_id", sa.String(length=36), nullable=False),
        sa.Column("platform", sa.String(length=10), nullable=False),
        sa.Column("sealed_token", sa.Text(), nullable=False),
        sa.Column("registered_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_push_devices_user_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_push_devices")),
    )
    with op.batch_alter_table("push_devices", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_push_devices_session_id"), ["session_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_push_devices_user_id"), ["user_id"], unique=False)

    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("device_name", sa.String(length=100)))
        batch_op.add_column(sa.Column("place", sa.String(length=200)))
        batch_op.add_column(sa.Column("seen_at", storage.engine.columns.Instant(length=27)))
    op.execute("UPDATE sessions SET device_name = 'unknown', place = '', seen_at = refreshed_at")
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.alter_column("device_name", nullable=False)
        batch_op.alter_column("place", nullable=False)
        batch_op.alter_column("seen_at", nullable=False)
    op.execute("UPDATE users SET settings = '{}'")  # they have a shape now
