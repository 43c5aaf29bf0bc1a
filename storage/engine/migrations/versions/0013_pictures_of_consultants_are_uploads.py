"""Pictures of consultants and icons of topics are uploads.

The addresses that people had given go: whoever wrote one could watch everybody who saw it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table, address, upload in (
        ("consultants", "profile_picture_url", "picture_id"),
        ("topics", "icon_url", "icon_id"),
    ):
        op.add_column(table, sa.Column(upload, sa.String(length=36), nullable=True))
        # A batch would make the table anew on SQLite, under those that refer to it.
        op.get_bind().exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {address}")
