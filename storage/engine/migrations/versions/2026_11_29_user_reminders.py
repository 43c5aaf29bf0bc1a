"""Add users' settings for reminders and calendars."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_29_user_reminders"
down_revision = "2026_11_29_unicode_emoji"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calendar_settings",
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("remind_day", sa.Boolean(), nullable=False),
        sa.Column("remind_hour", sa.Boolean(), nullable=False),
        sa.Column("remind_minutes", sa.Boolean(), nullable=False),
        sa.Column("feed_serial", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], "fk_calendar_settings_user_id"),
        sa.PrimaryKeyConstraint("user_id", name="pk_calendar_settings"),
    )
