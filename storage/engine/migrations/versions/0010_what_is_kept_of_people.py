"""What is kept of people."""

import json

import sqlalchemy as sa
from alembic import op

import storage.engine.columns

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

NAMED = {
    "booking_requested": "student_id",
    "booking_approved": "consultant_id",
    "booking_rejected": "consultant_id",
}
"""By the kind of a notification: the party of its booking whose name is in it."""


def upgrade() -> None:
    op.create_table(
        "account_deletions",
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("asked_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("due_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("consulted_as", sa.String(length=20), nullable=True),
        sa.Column("erased_at", storage.engine.columns.Instant(length=27), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_account_deletions_user_id")
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_account_deletions")),
    )
    op.create_table(
        "exports",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("asked_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("expires_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_exports_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exports")),
    )
    with op.batch_alter_table("exports", schema=None) as batch_op:
        batch_op.create_index(
            "ix_exports_once",
            ["user_id"],
            unique=True,
            sqlite_where=sa.text("status = 'preparing'"),
            postgresql_where=sa.text("status = 'preparing'"),
        )
        batch_op.create_index(batch_op.f("ix_exports_user_id"), ["user_id"], unique=False)

    with op.batch_alter_table("call_stays", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_call_stays_user_id"), ["user_id"], unique=False)

    with op.batch_alter_table("message_reactions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_message_reactions_user_id"), ["user_id"], unique=False)

    with op.batch_alter_table("notifications", schema=None) as batch_op:
        batch_op.add_column(sa.Column("about_id", sa.String(length=36), nullable=True))
        batch_op.create_index(batch_op.f("ix_notifications_about_id"), ["about_id"], unique=False)

    with op.batch_alter_table("waiting_list", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_waiting_list_user_id"), ["user_id"], unique=False)
    say_whom_they_are_about(op.get_bind())


def say_whom_they_are_about(connection: sa.Connection) -> None:
    notifications = sa.table("notifications", *map(sa.column, ("id", "kind", "data", "about_id")))
    bookings = sa.table("bookings", *map(sa.column, ("id", "student_id", "consultant_id")))
    told = sa.select(notifications).where(notifications.c.kind.in_(NAMED))
    for row in connection.execute(told).all():
        named = sa.select(bookings.c[NAMED[row.kind]]).where(
            bookings.c.id == json.loads(row.data)["booking_id"]
        )
        connection.execute(
            notifications.update()
            .where(notifications.c.id == row.id)
            .values(about_id=connection.execute(named).scalar())
        )
