"""Add to dispatches their recipient, their retries, and why they failed; and paused channels."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "2026_11_29_sent_mail"
down_revision = "2026_11_29_request_terms"
branch_labels = None
depends_on = None

ID = sa.String(36)
INSTANT = sa.String(27)  # UTC as ISO 8601 text, as in 2026-11-29T13:00:00.000000Z
MAILS_KEPT = timedelta(days=7)

# Until now, a dispatch was given up for any reason, and its content deleted. Of waiting ones it is
# unknown whether their content is secret, so it counts as secret.
FILL = (
    "UPDATE dispatches SET status = 'waiting', next_at = created_at WHERE status = 'pending'",
    "UPDATE dispatches SET status = 'given_up' WHERE status = 'failed'",
)


def upgrade() -> None:
    for added in (
        sa.Column("user_id", ID),
        sa.Column("about_id", ID),
        sa.Column("cause_id", ID),
        sa.Column("to_hash", sa.String(64), nullable=False, server_default=""),
        sa.Column("sealed_to", sa.Text(), nullable=False, server_default=""),
        sa.Column("secret", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("reason", sa.String(40)),
        sa.Column("reply", sa.Text()),
        sa.Column("next_at", INSTANT),
        sa.Column("tried_at", INSTANT),
        sa.Column("deferred_since", INSTANT),
        sa.Column("expires_at", INSTANT),
    ):
        op.add_column("dispatches", added)
    for column in ("about_id", "cause_id"):
        op.create_index(f"ix_dispatches_{column}", "dispatches", [column])
    for column in ("status", "user_id", "to_hash"):
        op.create_index(f"ix_dispatches_{column}_id", "dispatches", [column, "id"])
    open_only = sa.text("next_at IS NOT NULL")
    op.create_index(
        "ix_dispatches_next_at",
        "dispatches",
        ["next_at"],
        sqlite_where=open_only,
        postgresql_where=open_only,
    )
    op.create_table(
        "paused_channels",
        sa.Column("channel", sa.String(20), nullable=False),
        sa.Column("paused_at", INSTANT, nullable=False),
        sa.Column("reason", sa.String(40), nullable=False),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("probes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("channel", name="pk_paused_channels"),
    )
    for statement in FILL:
        op.execute(statement)
    end = f"{datetime.now(UTC) + MAILS_KEPT:%Y-%m-%dT%H:%M:%S.%fZ}"
    expire = sa.text("UPDATE dispatches SET expires_at = :end WHERE status = 'waiting'")
    op.get_bind().execute(expire, {"end": end})
