"""Keep the time of open blocks as bits of half days, no longer as a row for each quarter."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "2026_11_29_quarters_of_blocks"
down_revision = "2026_11_29_past_bookings"
branch_labels = None
depends_on = None

ID = sa.String(36)
INSTANT = sa.String(27)  # UTC as ISO 8601 text, as in 2026-11-29T13:00:00.000000Z
BATCH = 5_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
HALF_DAY = timedelta(hours=12)


def upgrade() -> None:
    op.create_table(
        "open_hours",
        sa.Column("consultant_id", ID, nullable=False),
        sa.Column("half_day", INSTANT, nullable=False),
        sa.Column("quarters", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["consultant_id"], ["users.id"], "fk_open_hours_consultant_id"),
        sa.PrimaryKeyConstraint("consultant_id", "half_day", name="pk_open_hours"),
    )
    op.create_index("ix_open_hours_half_day", "open_hours", ["half_day"])
    fill_open_hours()
    op.execute(
        """
        CREATE TABLE busy_calls AS
        SELECT user_id, quarter, holder_id FROM busy_quarters WHERE kind = 'call'
        """
    )
    op.drop_table("busy_quarters")
    op.create_table(
        "busy_quarters",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("quarter", INSTANT, nullable=False),
        sa.Column("holder_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], "fk_busy_quarters_user_id"),
        sa.PrimaryKeyConstraint("user_id", "quarter", name="pk_busy_quarters"),
    )
    for column in ("holder_id", "quarter"):
        op.create_index(f"ix_busy_quarters_{column}", "busy_quarters", [column])
    op.execute(
        """
        INSERT INTO busy_quarters (user_id, quarter, holder_id)
        SELECT user_id, quarter, holder_id FROM busy_calls
        """
    )
    op.drop_table("busy_calls")


# The quarters of the open blocks, in pages by their key.
QUARTERS = """
SELECT user_id, quarter FROM busy_quarters
WHERE kind = 'block' AND (user_id > :user_id OR (user_id = :user_id AND quarter > :quarter))
ORDER BY user_id, quarter LIMIT :limit
"""
ADD = """
INSERT INTO open_hours (consultant_id, half_day, quarters) VALUES (:user_id, :half_day, :bits)
ON CONFLICT (consultant_id, half_day) DO UPDATE SET quarters = open_hours.quarters | :bits
"""


def fill_open_hours() -> None:
    connection = op.get_bind()
    last: dict[str, Any] = {"user_id": "", "quarter": "", "limit": BATCH}
    while page := connection.execute(sa.text(QUARTERS), last).all():
        bits_of: dict[tuple[str, str], int] = defaultdict(int)
        for user_id, quarter in page:
            number, rest = divmod(datetime.fromisoformat(quarter) - EPOCH, HALF_DAY)
            half_day = (EPOCH + number * HALF_DAY).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            bits_of[user_id, half_day] |= 1 << (rest // QUARTER)
        rows = [
            {"user_id": user_id, "half_day": half_day, "bits": bits}
            for (user_id, half_day), bits in bits_of.items()
        ]
        connection.execute(sa.text(ADD), rows)
        last |= {"user_id": page[-1].user_id, "quarter": page[-1].quarter}
