"""Identities at other houses."""

import sqlalchemy as sa
from alembic import op

import storage.engine.columns

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "oauth_attempts",
        sa.Column("state_hash", sa.String(length=64), nullable=False),
        sa.Column("browser_hash", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("expires_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_oauth_attempts")),
    )
    with op.batch_alter_table("oauth_attempts", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_oauth_attempts_expires_at"), ["expires_at"], unique=False
        )

    op.create_table(
        "oauth_tickets",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("challenge", sa.String(length=43), nullable=True),
        sa.Column("fresh", sa.Boolean(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("expires_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_oauth_tickets")),
    )
    with op.batch_alter_table("oauth_tickets", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_oauth_tickets_expires_at"), ["expires_at"], unique=False
        )

    op.create_table(
        "identities",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("issuer", sa.String(length=500), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("linked_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_identities_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identities")),
    )
    with op.batch_alter_table("identities", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_identities_user_id"), ["user_id"], unique=False)
        batch_op.create_index("uq_identities_issuer_subject", ["issuer", "subject"], unique=True)

    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("proved_at", storage.engine.columns.Instant(length=27)))
    op.execute("UPDATE sessions SET proved_at = created_at")  # by what they began with
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.alter_column("proved_at", nullable=False)
