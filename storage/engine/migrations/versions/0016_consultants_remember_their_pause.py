"""Who consulted as what before their deletion was planned is kept with consultants."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "paused_consultants",
        sa.Column("consultant_id", sa.String(length=36), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(
            ["consultant_id"],
            ["consultants.id"],
            name=op.f("fk_paused_consultants_consultant_id"),
        ),
        sa.PrimaryKeyConstraint("consultant_id", name=op.f("pk_paused_consultants")),
    )
    connection = op.get_bind()
    connection.exec_driver_sql(
        "INSERT INTO paused_consultants (consultant_id, status)"
        " SELECT user_id, consulted_as FROM account_deletions"
        " WHERE consulted_as IS NOT NULL AND erased_at IS NULL"
    )
    # A batch would make the table anew on SQLite, under those that refer to it.
    connection.exec_driver_sql("ALTER TABLE account_deletions DROP COLUMN consulted_as")
