"""The first tables."""

import sqlalchemy as sa
from alembic import op

import storage.engine.columns

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "answers",
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("command", sa.String(length=80), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("payload_hash", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("about", sa.String(length=100), nullable=True),
        sa.Column("at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "command", "request_id", name=op.f("pk_answers")),
    )
    with op.batch_alter_table("answers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_answers_about"), ["about"], unique=False)
        batch_op.create_index(batch_op.f("ix_answers_at"), ["at"], unique=False)

    op.create_table(
        "consumers",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("known_since", storage.engine.columns.Instant(length=27), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_consumers")),
    )
    op.create_table(
        "conversations",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=True),
        sa.Column("direct_key", sa.String(length=73), nullable=True),
        sa.Column("created_by", sa.String(length=36), nullable=False),
        sa.Column("opened_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
        sa.UniqueConstraint("direct_key", name=op.f("uq_conversations_direct_key")),
    )
    op.create_table(
        "deliveries",
        sa.Column("consumer", sa.String(length=100), nullable=False),
        sa.Column("order_key", sa.String(length=200), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("ready_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("parked", sa.Boolean(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("consumer", "order_key", "number", name=op.f("pk_deliveries")),
    )
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.create_index("ix_deliveries_due", ["parked", "ready_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_deliveries_event_id"), ["event_id"], unique=False)

    op.create_table(
        "dispatches",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("channel", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("notification_id", sa.String(length=36), nullable=True),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("done_at", storage.engine.columns.Instant(length=27), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dispatches")),
    )
    with op.batch_alter_table("dispatches", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_dispatches_done_at"), ["done_at"], unique=False)

    op.create_table(
        "epochs",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_epochs")),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("private", storage.engine.columns.Json(), nullable=True),
        sa.Column("sealed", sa.Boolean(), nullable=False),
        sa.Column("subject", sa.String(length=100), nullable=True),
        sa.Column("order_key", sa.String(length=200), nullable=False),
        sa.Column("actor_id", sa.String(length=36), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=True),
        sa.Column("correlation_id", sa.String(length=36), nullable=True),
        sa.Column("membership", storage.engine.columns.Json(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index("ix_events_subject", ["subject"], unique=False)

    op.create_table(
        "instances",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("confirmed_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instances")),
    )
    op.create_table(
        "order_keys",
        sa.Column("order_key", sa.String(length=200), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("order_key", name=op.f("pk_order_keys")),
    )
    op.create_table(
        "pincodes",
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("expires_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("sent_since", storage.engine.columns.Instant(length=27), nullable=False),
        sa.PrimaryKeyConstraint("email", "purpose", name=op.f("pk_pincodes")),
    )
    with op.batch_alter_table("pincodes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pincodes_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "pools",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "taken >= 0 AND taken <= capacity", name=op.f("ck_pools_taken_within_capacity")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pools")),
    )
    op.create_table(
        "stream_events",
        sa.Column("stream", sa.String(length=200), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("stream", "seq", name=op.f("pk_stream_events")),
    )
    with op.batch_alter_table("stream_events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_stream_events_event_id"), ["event_id"], unique=False)

    op.create_table(
        "stream_heads",
        sa.Column("stream", sa.String(length=200), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("moved_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.PrimaryKeyConstraint("stream", name=op.f("pk_stream_heads")),
    )
    with op.batch_alter_table("stream_heads", schema=None) as batch_op:
        batch_op.create_index("ix_stream_heads_moved", ["moved_at", "stream"], unique=False)

    op.create_table(
        "timers",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("due_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_timers")),
    )
    with op.batch_alter_table("timers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_timers_due_at"), ["due_at"], unique=False)

    op.create_table(
        "users",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("email_verified", sa.Boolean(), nullable=False),
        sa.Column("first_name", sa.String(length=100), nullable=False),
        sa.Column("last_name", sa.String(length=100), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("roles", storage.engine.columns.Json(), nullable=False),
        sa.Column("settings", storage.engine.columns.Json(), nullable=False),
        sa.Column("created_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("updated_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
    )
    op.create_table(
        "waiting_stays",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("booking_id", sa.String(length=36), nullable=False),
        sa.Column("instance_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiting_stays")),
    )
    with op.batch_alter_table("waiting_stays", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_waiting_stays_booking_id"), ["booking_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_waiting_stays_instance_id"), ["instance_id"], unique=False
        )

    op.create_table(
        "bookings",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("student_id", sa.String(length=36), nullable=False),
        sa.Column("consultant_id", sa.String(length=36), nullable=False),
        sa.Column("topic_id", sa.String(length=36), nullable=False),
        sa.Column("block_id", sa.String(length=36), nullable=True),
        sa.Column("starts_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("ends_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("rate_amount", sa.BigInteger(), nullable=False),
        sa.Column("rate_currency", sa.String(length=3), nullable=False),
        sa.Column("minimal_duration_minutes", sa.Integer(), nullable=False),
        sa.Column("hold_expires_at", storage.engine.columns.Instant(length=27), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("call_held", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consultant_id"], ["users.id"], name=op.f("fk_bookings_consultant_id")
        ),
        sa.ForeignKeyConstraint(["student_id"], ["users.id"], name=op.f("fk_bookings_student_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bookings")),
    )
    with op.batch_alter_table("bookings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bookings_block_id"), ["block_id"], unique=False)
        batch_op.create_index("ix_bookings_consultant_id_id", ["consultant_id", "id"], unique=False)
        batch_op.create_index("ix_bookings_student_id_id", ["student_id", "id"], unique=False)

    op.create_table(
        "calls",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("booking_id", sa.String(length=36), nullable=False),
        sa.Column("consultant_id", sa.String(length=36), nullable=False),
        sa.Column("student_id", sa.String(length=36), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("initiated_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("started_at", storage.engine.columns.Instant(length=27), nullable=True),
        sa.Column("interrupted_at", storage.engine.columns.Instant(length=27), nullable=True),
        sa.Column("ended_at", storage.engine.columns.Instant(length=27), nullable=True),
        sa.Column("talked_s", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consultant_id"], ["users.id"], name=op.f("fk_calls_consultant_id")
        ),
        sa.ForeignKeyConstraint(["student_id"], ["users.id"], name=op.f("fk_calls_student_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calls")),
    )
    with op.batch_alter_table("calls", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_calls_booking_id"), ["booking_id"], unique=False)
        batch_op.create_index(
            "ix_calls_live_consultant_id",
            ["consultant_id"],
            unique=True,
            sqlite_where=sa.text("status != 'ended'"),
            postgresql_where=sa.text("status != 'ended'"),
        )
        batch_op.create_index(
            "ix_calls_live_student_id",
            ["student_id"],
            unique=False,
            sqlite_where=sa.text("status != 'ended'"),
            postgresql_where=sa.text("status != 'ended'"),
        )

    op.create_table(
        "consultants",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("first_name", sa.String(length=100), nullable=False),
        sa.Column("last_name", sa.String(length=100), nullable=False),
        sa.Column("about_me", sa.Text(), nullable=False),
        sa.Column("languages", storage.engine.columns.Json(), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("age", sa.Integer(), nullable=True),
        sa.Column("gender", sa.String(length=20), nullable=True),
        sa.Column("profile_picture_url", sa.Text(), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("available_now", sa.Boolean(), nullable=False),
        sa.Column("onboarded_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["users.id"], name=op.f("fk_consultants_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consultants")),
    )
    with op.batch_alter_table("consultants", schema=None) as batch_op:
        batch_op.create_index("ix_consultants_status_id", ["status", "id"], unique=False)

    op.create_table(
        "conversation_members",
        sa.Column("conversation_id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("from_seq", sa.BigInteger(), nullable=False),
        sa.Column("to_seq", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("fk_conversation_members_conversation_id"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_conversation_members_user_id")
        ),
        sa.PrimaryKeyConstraint(
            "conversation_id", "user_id", "from_seq", name=op.f("pk_conversation_members")
        ),
    )
    with op.batch_alter_table("conversation_members", schema=None) as batch_op:
        batch_op.create_index(
            "ix_conversation_members_once",
            ["conversation_id", "user_id"],
            unique=True,
            sqlite_where=sa.text("to_seq IS NULL"),
            postgresql_where=sa.text("to_seq IS NULL"),
        )
        batch_op.create_index(
            "ix_conversation_members_user_id", ["user_id", "conversation_id"], unique=False
        )

    op.create_table(
        "credentials",
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("set_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_credentials_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_credentials")),
    )
    op.create_table(
        "holds",
        sa.Column("pool_id", sa.String(length=36), nullable=False),
        sa.Column("for_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("holder_id", sa.String(length=36), nullable=False),
        sa.Column("taken_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("expires_at", storage.engine.columns.Instant(length=27), nullable=True),
        sa.ForeignKeyConstraint(["pool_id"], ["pools.id"], name=op.f("fk_holds_pool_id")),
        sa.PrimaryKeyConstraint("pool_id", "for_id", name=op.f("pk_holds")),
    )
    with op.batch_alter_table("holds", schema=None) as batch_op:
        batch_op.create_index("ix_holds_pool_id_taken_at", ["pool_id", "taken_at"], unique=False)

    op.create_table(
        "marks",
        sa.Column("conversation_id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("told_seq", sa.BigInteger(), nullable=False),
        sa.Column("told_at", storage.engine.columns.Instant(length=27), nullable=True),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_marks_conversation_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_marks_user_id")),
        sa.PrimaryKeyConstraint("conversation_id", "user_id", "kind", name=op.f("pk_marks")),
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("conversation_id", sa.String(length=36), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("said_seq", sa.BigInteger(), nullable=False),
        sa.Column("sender_id", sa.String(length=36), nullable=True),
        sa.Column("client_id", sa.String(length=64), nullable=True),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("card_kind", sa.String(length=40), nullable=True),
        sa.Column("card_id", sa.String(length=36), nullable=True),
        sa.Column("card_data", storage.engine.columns.Json(), nullable=True),
        sa.Column("sent_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("edited_at", storage.engine.columns.Instant(length=27), nullable=True),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("fk_messages_conversation_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
        sa.UniqueConstraint(
            "conversation_id",
            "sender_id",
            "client_id",
            name=op.f("uq_messages_conversation_id_sender_id_client_id"),
        ),
        sa.UniqueConstraint("conversation_id", "seq", name=op.f("uq_messages_conversation_id_seq")),
    )
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.create_index(
            "ix_messages_card",
            ["card_kind", "card_id"],
            unique=False,
            sqlite_where=sa.text("card_id IS NOT NULL"),
            postgresql_where=sa.text("card_id IS NOT NULL"),
        )

    op.create_table(
        "notifications",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("data", storage.engine.columns.Json(), nullable=False),
        sa.Column("created_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("read_at", storage.engine.columns.Instant(length=27), nullable=True),
        sa.Column("mail_status", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_notifications_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
    )
    with op.batch_alter_table("notifications", schema=None) as batch_op:
        batch_op.create_index(
            "ix_notifications_unread",
            ["user_id"],
            unique=False,
            sqlite_where=sa.text("read_at IS NULL"),
            postgresql_where=sa.text("read_at IS NULL"),
        )
        batch_op.create_index("ix_notifications_user_id_id", ["user_id", "id"], unique=False)

    op.create_table(
        "presence_holdings",
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("instance_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_presence_holdings_user_id")
        ),
        sa.PrimaryKeyConstraint("user_id", "instance_id", name=op.f("pk_presence_holdings")),
    )
    with op.batch_alter_table("presence_holdings", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_presence_holdings_instance_id"), ["instance_id"], unique=False
        )

    op.create_table(
        "presences",
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("last_seen_at", storage.engine.columns.Instant(length=27), nullable=True),
        sa.Column("changed_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_presences_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_presences")),
    )
    with op.batch_alter_table("presences", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_presences_changed_at"), ["changed_at"], unique=False)

    op.create_table(
        "sessions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("device", sa.String(length=200), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("created_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("refreshed_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("expires_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("ended_at", storage.engine.columns.Instant(length=27), nullable=True),
        sa.Column("end_reason", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sessions_ended_at"), ["ended_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_sessions_user_id"), ["user_id"], unique=False)

    op.create_table(
        "waiting_rooms",
        sa.Column("block_id", sa.String(length=36), nullable=False),
        sa.Column("consultant_id", sa.String(length=36), nullable=False),
        sa.Column("closes_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("finished_calls", sa.Integer(), nullable=False),
        sa.Column("talked_s", sa.Integer(), nullable=False),
        sa.Column("call_id", sa.String(length=36), nullable=True),
        sa.Column("call_started_at", storage.engine.columns.Instant(length=27), nullable=True),
        sa.ForeignKeyConstraint(
            ["consultant_id"], ["users.id"], name=op.f("fk_waiting_rooms_consultant_id")
        ),
        sa.PrimaryKeyConstraint("block_id", name=op.f("pk_waiting_rooms")),
    )
    with op.batch_alter_table("waiting_rooms", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_waiting_rooms_consultant_id"), ["consultant_id"], unique=False
        )

    op.create_table(
        "available_now",
        sa.Column("consultant_id", sa.String(length=36), nullable=False),
        sa.Column("available", sa.Boolean(), nullable=False),
        sa.Column("back_after_call", sa.Boolean(), nullable=False),
        sa.Column("call_id", sa.String(length=36), nullable=True),
        sa.Column("resumes", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consultant_id"], ["consultants.id"], name=op.f("fk_available_now_consultant_id")
        ),
        sa.PrimaryKeyConstraint("consultant_id", name=op.f("pk_available_now")),
    )
    op.create_table(
        "blocks",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("consultant_id", sa.String(length=36), nullable=False),
        sa.Column("starts_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("ends_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("wanted_calls", sa.Integer(), nullable=False),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consultant_id"], ["consultants.id"], name=op.f("fk_blocks_consultant_id")
        ),
        sa.ForeignKeyConstraint(["id"], ["pools.id"], name=op.f("fk_blocks_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blocks")),
        sa.UniqueConstraint(
            "consultant_id", "starts_at", name=op.f("uq_blocks_consultant_id_starts_at")
        ),
    )
    op.create_table(
        "booked_quarters",
        sa.Column("student_id", sa.String(length=36), nullable=False),
        sa.Column("quarter", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("booking_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["bookings.id"], name=op.f("fk_booked_quarters_booking_id")
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["users.id"], name=op.f("fk_booked_quarters_student_id")
        ),
        sa.PrimaryKeyConstraint("student_id", "quarter", name=op.f("pk_booked_quarters")),
    )
    with op.batch_alter_table("booked_quarters", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_booked_quarters_booking_id"), ["booking_id"], unique=False
        )

    op.create_table(
        "call_stays",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("call_id", sa.String(length=36), nullable=False),
        sa.Column("device_id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("instance_id", sa.String(length=36), nullable=False),
        sa.Column("joined_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("left_at", storage.engine.columns.Instant(length=27), nullable=True),
        sa.Column("noted_by", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name=op.f("fk_call_stays_call_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_stays")),
    )
    with op.batch_alter_table("call_stays", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_call_stays_call_id"), ["call_id"], unique=False)
        batch_op.create_index(
            "ix_call_stays_instance_id_left_at", ["instance_id", "left_at"], unique=False
        )
        batch_op.create_index(
            "ix_call_stays_open_device_id",
            ["device_id"],
            unique=True,
            sqlite_where=sa.text("left_at IS NULL"),
            postgresql_where=sa.text("left_at IS NULL"),
        )

    op.create_table(
        "instant_requests",
        sa.Column("student_id", sa.String(length=36), nullable=False),
        sa.Column("consultant_id", sa.String(length=36), nullable=False),
        sa.Column("booking_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["bookings.id"], name=op.f("fk_instant_requests_booking_id")
        ),
        sa.ForeignKeyConstraint(
            ["consultant_id"], ["users.id"], name=op.f("fk_instant_requests_consultant_id")
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["users.id"], name=op.f("fk_instant_requests_student_id")
        ),
        sa.PrimaryKeyConstraint("student_id", "consultant_id", name=op.f("pk_instant_requests")),
    )
    with op.batch_alter_table("instant_requests", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_instant_requests_booking_id"), ["booking_id"], unique=False
        )

    op.create_table(
        "overrides",
        sa.Column("consultant_id", sa.String(length=36), nullable=False),
        sa.Column("week", sa.String(length=8), nullable=False),
        sa.Column("hours", storage.engine.columns.Json(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consultant_id"], ["consultants.id"], name=op.f("fk_overrides_consultant_id")
        ),
        sa.PrimaryKeyConstraint("consultant_id", "week", name=op.f("pk_overrides")),
    )
    op.create_table(
        "refresh_tokens",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("session_id", sa.String(length=36), nullable=False),
        sa.Column("issued_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("used_at", storage.engine.columns.Instant(length=27), nullable=True),
        sa.Column("successor_hash", sa.String(length=64), nullable=True),
        sa.Column("successor_sealed", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_refresh_tokens_session_id")
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_refresh_tokens")),
    )
    with op.batch_alter_table("refresh_tokens", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_refresh_tokens_session_id"), ["session_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_refresh_tokens_used_at"), ["used_at"], unique=False)

    op.create_table(
        "schedules",
        sa.Column("consultant_id", sa.String(length=36), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("hours", storage.engine.columns.Json(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consultant_id"], ["consultants.id"], name=op.f("fk_schedules_consultant_id")
        ),
        sa.PrimaryKeyConstraint("consultant_id", name=op.f("pk_schedules")),
    )
    op.create_table(
        "topics",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("consultant_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("rate_amount", sa.BigInteger(), nullable=False),
        sa.Column("rate_currency", sa.String(length=3), nullable=False),
        sa.Column("minimal_duration_minutes", sa.Integer(), nullable=False),
        sa.Column("icon_url", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["consultant_id"], ["consultants.id"], name=op.f("fk_topics_consultant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_topics")),
    )
    with op.batch_alter_table("topics", schema=None) as batch_op:
        batch_op.create_index("ix_topics_consultant_id_id", ["consultant_id", "id"], unique=False)

    op.create_table(
        "waiting_places",
        sa.Column("booking_id", sa.String(length=36), nullable=False),
        sa.Column("block_id", sa.String(length=36), nullable=False),
        sa.Column("student_id", sa.String(length=36), nullable=False),
        sa.Column("entered_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("lost_at", storage.engine.columns.Instant(length=27), nullable=True),
        sa.ForeignKeyConstraint(
            ["block_id"], ["waiting_rooms.block_id"], name=op.f("fk_waiting_places_block_id")
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["users.id"], name=op.f("fk_waiting_places_student_id")
        ),
        sa.PrimaryKeyConstraint("booking_id", name=op.f("pk_waiting_places")),
    )
    with op.batch_alter_table("waiting_places", schema=None) as batch_op:
        batch_op.create_index(
            "ix_waiting_places_block_id_entered_at", ["block_id", "entered_at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_waiting_places_student_id"), ["student_id"], unique=False
        )

    op.create_table(
        "waiting_list",
        sa.Column("block_id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("joined_at", storage.engine.columns.Instant(length=27), nullable=False),
        sa.Column("offer_id", sa.String(length=36), nullable=True),
        sa.Column("offer_expires_at", storage.engine.columns.Instant(length=27), nullable=True),
        sa.ForeignKeyConstraint(["block_id"], ["blocks.id"], name=op.f("fk_waiting_list_block_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_waiting_list_user_id")),
        sa.PrimaryKeyConstraint("block_id", "user_id", name=op.f("pk_waiting_list")),
    )
