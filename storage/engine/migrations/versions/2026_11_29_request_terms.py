"""Add the terms of consultants, and those that a booking was made under, with its fee."""

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
