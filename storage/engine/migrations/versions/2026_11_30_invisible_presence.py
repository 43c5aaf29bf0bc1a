"""Let users be invisible, with the status that others see meanwhile."""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_30_invisible_presence"
down_revision = "2026_11_29_video_quality"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "presences", sa.Column("invisible", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("presences", sa.Column("shown_status", sa.String(10)))
