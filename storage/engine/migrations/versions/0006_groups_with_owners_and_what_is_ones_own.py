"""Groups with owners and what is one's own."""

import sqlalchemy as sa
from alembic import op

import storage.engine.columns

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

MEMBERS = "UPDATE conversation_members SET role = 'member', closed = false"
# Who made a group owns it; where that person is out, who is in for the longest time.
OWNERS = """
UPDATE conversation_members SET role = 'owner'
WHERE to_seq IS NULL AND (conversation_id, user_id) IN (
    SELECT conversation_id, user_id FROM (
        SELECT seat.conversation_id, seat.user_id, row_number() OVER (
            PARTITION BY seat.conversation_id
            ORDER BY CASE WHEN seat.user_id = c.created_by THEN 0 ELSE 1 END,
                seat.from_seq, seat.user_id) AS place
        FROM conversation_members seat JOIN conversations c ON c.id = seat.conversation_id
        WHERE seat.to_seq IS NULL AND c.kind = 'group') AS placed
    WHERE place = 1)
"""


def upgrade() -> None:
    op.create_table(
        "blocked_people",
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("blocked_id", sa.String(length=36), nullable=False),
        sa.Column("at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(
            ["blocked_id"], ["users.id"], name=op.f("fk_blocked_people_blocked_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_blocked_people_user_id")),
        sa.PrimaryKeyConstraint("user_id", "blocked_id", name=op.f("pk_blocked_people")),
    )
    with op.batch_alter_table("blocked_people", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_blocked_people_blocked_id"), ["blocked_id"], unique=False
        )

    op.create_table(
        "conversation_states",
        sa.Column("conversation_id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("muted_until", storage.engine.columns.Instant(length=27), nullable=True),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("draft", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_conversation_states_conversation_id"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_conversation_states_user_id")
        ),
        sa.PrimaryKeyConstraint("conversation_id", "user_id", name=op.f("pk_conversation_states")),
    )
    op.create_table(
        "mark_steps",
        sa.Column("conversation_id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_mark_steps_conversation_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_mark_steps_user_id")),
        sa.PrimaryKeyConstraint(
            "conversation_id", "user_id", "kind", "seq", name=op.f("pk_mark_steps")
        ),
    )
    with op.batch_alter_table("mark_steps", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_mark_steps_at"), ["at"], unique=False)

    op.create_table(
        "message_removals",
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("message_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_message_removals_message_id")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_message_removals_user_id")
        ),
        sa.PrimaryKeyConstraint("user_id", "message_id", name=op.f("pk_message_removals")),
    )
    with op.batch_alter_table("message_removals", schema=None) as batch_op:
        batch_op.create_index("ix_message_removals_message_id", ["message_id"], unique=False)

    op.create_table(
        "pinned_messages",
        sa.Column("conversation_id", sa.String(length=36), nullable=False),
        sa.Column("message_id", sa.String(length=36), nullable=False),
        sa.Column("pinned_by", sa.String(length=36), nullable=False),
        sa.Column("at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_pinned_messages_conversation_id"),
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_pinned_messages_message_id")
        ),
        sa.PrimaryKeyConstraint("conversation_id", "message_id", name=op.f("pk_pinned_messages")),
    )
    with op.batch_alter_table("conversation_members", schema=None) as batch_op:
        batch_op.add_column(sa.Column("role", sa.String(length=10), nullable=True))
        batch_op.add_column(sa.Column("closed", sa.Boolean(), nullable=True))
    op.execute(MEMBERS)
    op.execute(OWNERS)
    with op.batch_alter_table("conversation_members", schema=None) as batch_op:
        batch_op.alter_column("role", existing_type=sa.String(length=10), nullable=False)
        batch_op.alter_column("closed", existing_type=sa.Boolean(), nullable=False)

    with op.batch_alter_table("conversations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("picture_id", sa.String(length=36), nullable=True))

    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.add_column(sa.Column("mentions", storage.engine.columns.Json(), nullable=True))
