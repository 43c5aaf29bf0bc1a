"""Add the terms of consultants and bookings, and what pauses "available now".

Also when the consultant came to a waiting room, and the call to which a student was admitted.
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_29_request_terms"
down_revision = "2026_11_29_quarters_of_blocks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "booking_terms",
        sa.Column("consultant_id", sa.String(36), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consultant_id"], ["consultants.id"], "fk_booking_terms_consultant_id"
        ),
        sa.PrimaryKeyConstraint("consultant_id", name="pk_booking_terms"),
    )
    op.add_column("bookings", sa.Column("terms", sa.Text()))
    op.add_column(
        "bookings", sa.Column("fee_percent", sa.Integer(), nullable=False, server_default="0")
    )
    asked = sa.text("status = 'requested'")
    op.create_index(
        "ix_bookings_asked",
        "bookings",
        ["student_id", "consultant_id"],
        sqlite_where=asked,
        postgresql_where=asked,
    )
    for name in ("back_when_online", "away"):
        column: sa.Column[bool] = sa.Column(
            name, sa.Boolean(), nullable=False, server_default=sa.false()
        )
        op.add_column("available_now", column)
    # Until now, consultants stayed available after their last device had left.
    op.execute(
        """
        UPDATE available_now SET available = false
        WHERE consultant_id NOT IN (SELECT user_id FROM presences WHERE online)
        """
    )
    op.execute(
        """
        UPDATE consultants SET available_now = false
        WHERE id NOT IN (SELECT user_id FROM presences WHERE online)
        """
    )
    op.add_column("waiting_rooms", sa.Column("desk_at", sa.String(27)))
    op.add_column("waiting_places", sa.Column("call_id", sa.String(36)))
    # A room without its block cannot be, but 0.1.0 had no foreign key for that.
    with op.batch_alter_table("waiting_rooms") as table:
        table.add_column(sa.Column("starts_at", sa.String(27)))
    op.execute(
        """
        UPDATE waiting_rooms SET starts_at = coalesce(
            (SELECT starts_at FROM blocks WHERE blocks.id = waiting_rooms.block_id), closes_at
        )
        """
    )
    with op.batch_alter_table("waiting_rooms") as table:
        table.alter_column("starts_at", existing_type=sa.String(27), nullable=False)
