"""The history and the end of bookings: agreed topic names, steps, who came, and missed hours.

Also one live call per person, why a call ended, and the time of users that is taken.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "2026_11_29_past_bookings"
down_revision = "2026_11_29_parley_0_1_0"
branch_labels = None
depends_on = None

ID = sa.String(36)
INSTANT = sa.String(27)  # UTC as ISO 8601 text, as in 2026-11-29T13:00:00.000000Z
LIVE = sa.text("status != 'ended'")

FILL = (
    """
    UPDATE bookings SET topic_name =
        coalesce((SELECT name FROM topics WHERE topics.id = bookings.topic_id), '')
    """,
    # Earlier changes were not recorded; the request is the only step whose time is known.
    """
    INSERT INTO booking_steps (booking_id, version, status, actor_id, at, starts_at)
    SELECT id, 1, 'requested', student_id, created_at, starts_at FROM bookings
    """,
    """
    INSERT INTO live_participants (user_id, call_id)
    SELECT consultant_id, id FROM calls WHERE status != 'ended'
    """,
    # Until now, a student could be in two live calls; the first one counts.
    """
    INSERT INTO live_participants (user_id, call_id)
    SELECT student_id, min(id) FROM calls WHERE status != 'ended'
        AND student_id NOT IN (SELECT user_id FROM live_participants)
    GROUP BY student_id
    """,
)


def upgrade() -> None:
    op.add_column(
        "bookings", sa.Column("topic_name", sa.String(100), nullable=False, server_default="")
    )
    op.add_column("bookings", sa.Column("student_came_at", INSTANT))
    op.add_column("bookings", sa.Column("consultant_came_at", INSTANT))
    for role in ("student_id", "consultant_id"):
        op.create_index(f"ix_bookings_{role}_starts_at", "bookings", [role, "starts_at"])
    op.create_table(
        "booking_steps",
        sa.Column("booking_id", ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("actor_id", ID),
        sa.Column("reason", sa.Text()),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], "fk_booking_steps_booking_id"),
        sa.PrimaryKeyConstraint("booking_id", "version", name="pk_booking_steps"),
    )
    op.create_index("ix_booking_steps_actor_id", "booking_steps", ["actor_id"])
    op.create_table(
        "live_participants",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("call_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], "fk_live_participants_call_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], "fk_live_participants_user_id"),
        sa.PrimaryKeyConstraint("user_id", name="pk_live_participants"),
    )
    op.create_index("ix_live_participants_call_id", "live_participants", ["call_id"])
    op.add_column("calls", sa.Column("end_reason", sa.String(20)))
    op.drop_index("ix_calls_live_consultant_id", "calls")
    op.create_index(
        "ix_calls_live_consultant_id",
        "calls",
        ["consultant_id"],
        sqlite_where=LIVE,
        postgresql_where=LIVE,
    )
    for statement in FILL:
        op.execute(statement)
    fill_busy_quarters()
    op.drop_table("booked_quarters")


# The blocks of consultants that are open and not over, with the number of held places.
OPEN_BLOCKS = """
SELECT blocks.id, consultant_id, starts_at, ends_at, taken
FROM blocks JOIN pools ON pools.id = blocks.id
WHERE cancelled = :no AND ends_at > :now ORDER BY starts_at, blocks.id
"""
# Blocks that already overlap stay; the earlier one has the time.
TAKE = """
INSERT INTO busy_quarters (user_id, kind, quarter, holder_id)
VALUES (:user_id, :kind, :quarter, :holder_id) ON CONFLICT DO NOTHING
"""


def fill_busy_quarters() -> None:
    op.create_table(
        "busy_quarters",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("quarter", INSTANT, nullable=False),
        sa.Column("holder_id", ID, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], "fk_busy_quarters_user_id"),
        sa.PrimaryKeyConstraint("user_id", "kind", "quarter", name="pk_busy_quarters"),
    )
    for column in ("holder_id", "quarter"):
        op.create_index(f"ix_busy_quarters_{column}", "busy_quarters", [column])
    op.execute(
        """
        INSERT INTO busy_quarters (user_id, kind, quarter, holder_id)
        SELECT student_id, 'call', quarter, booking_id FROM booked_quarters
        """
    )
    connection = op.get_bind()
    values = {"no": False, "now": text_of(datetime.now(UTC))}
    for block in connection.execute(sa.text(OPEN_BLOCKS), values).all():
        for kind in ("block", "call") if block.taken else ("block",):
            rows = [
                {
                    "user_id": block.consultant_id,
                    "kind": kind,
                    "quarter": quarter,
                    "holder_id": block.id,
                }
                for quarter in quarters_of(block.starts_at, block.ends_at)
            ]
            connection.execute(sa.text(TAKE), rows)


def text_of(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def quarters_of(starts_at: str, ends_at: str) -> Iterator[str]:
    quarter, end = datetime.fromisoformat(starts_at), datetime.fromisoformat(ends_at)
    while quarter < end:
        yield text_of(quarter)
        quarter += timedelta(minutes=15)
