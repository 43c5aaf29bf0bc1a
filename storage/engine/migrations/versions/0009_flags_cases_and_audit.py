"""Flags, cases and the audit; messages that are hidden."""

import sqlalchemy as sa
from alembic import op

import storage.engine.columns

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "moderation_audit",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("act", sa.String(length=20), nullable=False),
        sa.Column("actor_id", sa.String(length=36), nullable=True),
        sa.Column("user_id", sa.String(length=36), nullable=True),
        sa.Column("role", sa.String(length=20), nullable=True),
        sa.Column("case_id", sa.String(length=36), nullable=True),
        sa.Column("message_id", sa.String(length=36), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_moderation_audit")),
    )
    op.create_index("ix_moderation_audit_actor_id", "moderation_audit", ["actor_id"])
    op.create_table(
        "moderation_cases",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("message_id", sa.String(length=36), nullable=False),
        sa.Column("conversation_id", sa.String(length=36), nullable=False),
        sa.Column("sender_id", sa.String(length=36), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("flags", sa.Integer(), nullable=False),
        sa.Column("reasons", storage.engine.columns.Json(), nullable=False),
        sa.Column("hit", sa.Text(), nullable=True),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.Column("was_hidden", sa.Boolean(), nullable=False),
        sa.Column("opened_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("closed_at", storage.engine.columns.Instant(length=27), nullable=True),
        sa.Column("decided_by", sa.String(length=36), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_moderation_cases")),
    )
    with op.batch_alter_table("moderation_cases", schema=None) as batch_op:
        batch_op.create_index("ix_moderation_cases_message_id", ["message_id"], unique=False)
        batch_op.create_index("ix_moderation_cases_sender_id", ["sender_id"], unique=False)
        batch_op.create_index(
            "ix_moderation_cases_open",
            ["message_id"],
            unique=True,
            sqlite_where=sa.text("closed_at IS NULL"),
            postgresql_where=sa.text("closed_at IS NULL"),
        )
        batch_op.create_index(
            "ix_moderation_cases_queue",
            ["id"],
            unique=False,
            sqlite_where=sa.text("closed_at IS NULL"),
            postgresql_where=sa.text("closed_at IS NULL"),
        )

    op.create_table(
        "moderation_flags",
        sa.Column("message_id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("case_id", sa.String(length=36), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["moderation_cases.id"], name=op.f("fk_moderation_flags_case_id")
        ),
        sa.PrimaryKeyConstraint("message_id", "user_id", name=op.f("pk_moderation_flags")),
    )
    with op.batch_alter_table("moderation_flags", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_moderation_flags_case_id"), ["case_id"], unique=False)
        batch_op.create_index("ix_moderation_flags_user_id_at", ["user_id", "at"], unique=False)

    # Not as a batch: SQLite would make another table of it, without the triggers of this one.
    op.add_column(
        "messages", sa.Column("hidden", sa.Boolean(), nullable=False, server_default=sa.false())
    )

    with op.batch_alter_table("uploads", schema=None) as batch_op:
        batch_op.add_column(sa.Column("hit", sa.Text(), nullable=True))
