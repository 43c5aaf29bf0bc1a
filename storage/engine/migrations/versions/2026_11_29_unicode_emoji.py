"""Store reactions in the full form of their emoji: `❤` with and without U+FE0F is one reaction."""

import sqlalchemy as sa
from alembic import op
from emoji import EMOJI_DATA, STATUS

revision = "2026_11_29_unicode_emoji"
down_revision = "2026_11_29_text_search"
branch_labels = None
depends_on = None

COPY = sa.text(
    """INSERT INTO message_reactions (message_id, user_id, emoji, at)
    SELECT message_id, user_id, :full_form, at FROM message_reactions WHERE emoji = :stored
    ON CONFLICT DO NOTHING"""
)
DELETE = sa.text("DELETE FROM message_reactions WHERE emoji = :stored")


def upgrade() -> None:
    full_forms = {
        one.replace("\ufe0f", ""): one
        for one, about in EMOJI_DATA.items()
        if about["status"] == STATUS["fully_qualified"]
    }
    connection = op.get_bind()
    found = connection.scalars(sa.text("SELECT DISTINCT emoji FROM message_reactions")).all()
    for stored in found:
        full_form = full_forms.get(stored.replace("\ufe0f", ""), stored)
        if full_form != stored:
            connection.execute(COPY, {"full_form": full_form, "stored": stored})
            connection.execute(DELETE, {"stored": stored})
