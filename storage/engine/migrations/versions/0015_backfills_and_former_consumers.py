"""Backfills go in pages, and consumers are confirmed by the instances that serve them.

Deliveries are found by their order key, so that a key without any can be forgotten. Every known
consumer counts as served at the time of the upgrade: an older instance may be running.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

import storage.engine.columns

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "consumers",
        sa.Column("served_at", storage.engine.columns.Instant(length=27), nullable=True),
    )
    served = sa.table(
        "consumers", sa.column("served_at", storage.engine.columns.Instant(length=27))
    )
    op.execute(sa.update(served).values(served_at=datetime.now(UTC)))
    op.add_column("events", sa.Column("told_to", sa.String(length=100), nullable=True))
    op.create_table(
        "backfills",
        sa.Column("consumer", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("after", sa.String(length=200), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("queued", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("started_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.PrimaryKeyConstraint("consumer", name=op.f("pk_backfills")),
    )
    with op.batch_alter_table("deliveries") as deliveries:
        deliveries.drop_constraint("pk_deliveries", type_="primary")
        deliveries.create_primary_key("pk_deliveries", ["order_key", "consumer", "number"])
