"""What is kept of a request id tells whether its command is done.

Kept answers of before are done, every one. They cannot be half-done: no command of then had two
transactions.
"""

import sqlalchemy as sa
from alembic import op

import storage.engine.columns

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.rename_table("answers", "idempotency_keys")
    for column in ("about", "at"):
        op.drop_index(f"ix_answers_{column}", "idempotency_keys")
        op.create_index(f"ix_idempotency_keys_{column}", "idempotency_keys", [column])
    op.add_column(
        "idempotency_keys",
        sa.Column("holder", sa.String(length=36), nullable=False, server_default=""),
    )
    op.add_column(
        "idempotency_keys",
        sa.Column("leased_until", storage.engine.columns.Instant(length=27), nullable=True),
    )
    op.add_column(
        "idempotency_keys", sa.Column("steps", storage.engine.columns.Json(), nullable=True)
    )
