"""Guesses are bounded by account, pincodes belong to whoever asked, devices are known.

Pincodes that are on their way during the upgrade become void; they live ten minutes.
"""

import sqlalchemy as sa
from alembic import op

import storage.engine.columns

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("pincodes")
    op.create_table(
        "pincodes",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("asker", sa.String(length=64), nullable=False),
        sa.Column("trusted", sa.Boolean(), nullable=False),
        sa.Column("ticket_hash", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("expires_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pincodes")),
    )
    op.create_index("ix_pincodes_email_purpose", "pincodes", ["email", "purpose"])
    op.create_index(op.f("ix_pincodes_expires_at"), "pincodes", ["expires_at"])
    op.create_table(
        "throttles",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("free_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("ends_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("reported", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_throttles")),
    )
    op.create_index(op.f("ix_throttles_ends_at"), "throttles", ["ends_at"])
    op.create_table(
        "known_devices",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("known_since", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("seen_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_known_devices_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_known_devices")),
    )
    op.create_index(op.f("ix_known_devices_user_id"), "known_devices", ["user_id"])
    op.create_index(op.f("ix_known_devices_seen_at"), "known_devices", ["seen_at"])
    op.add_column("sessions", sa.Column("device_id", sa.String(length=36), nullable=True))
