CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE events (
    id VARCHAR(36) NOT NULL,
    name VARCHAR(64) NOT NULL,
    version INTEGER NOT NULL,
    at VARCHAR(27) NOT NULL,
    data TEXT NOT NULL,
    private TEXT,
    sealed BOOLEAN NOT NULL,
    subject VARCHAR(100),
    order_key VARCHAR(200) NOT NULL,
    actor_id VARCHAR(36),
    address VARCHAR(64),
    correlation_id VARCHAR(36),
    membership TEXT,
    told_to VARCHAR(100),
    CONSTRAINT pk_events PRIMARY KEY (id)
);

CREATE INDEX ix_events_subject ON events (subject);

CREATE TABLE stream_events (
    stream VARCHAR(200) NOT NULL,
    seq BIGINT NOT NULL,
    event_id VARCHAR(36) NOT NULL,
    CONSTRAINT pk_stream_events PRIMARY KEY (stream, seq)
);

CREATE INDEX ix_stream_events_event_id ON stream_events (event_id);

CREATE TABLE stream_heads (
    stream VARCHAR(200) NOT NULL,
    seq BIGINT NOT NULL,
    moved_at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_stream_heads PRIMARY KEY (stream)
);

CREATE INDEX ix_stream_heads_moved ON stream_heads (moved_at, stream);

CREATE TABLE order_keys (
    order_key VARCHAR(200) NOT NULL,
    number BIGINT NOT NULL,
    CONSTRAINT pk_order_keys PRIMARY KEY (order_key)
);

CREATE TABLE deliveries (
    order_key VARCHAR(200) NOT NULL,
    consumer VARCHAR(100) NOT NULL,
    number BIGINT NOT NULL,
    event_id VARCHAR(36) NOT NULL,
    attempts INTEGER NOT NULL,
    ready_at VARCHAR(27) NOT NULL,
    parked BOOLEAN NOT NULL,
    error TEXT,
    CONSTRAINT pk_deliveries PRIMARY KEY (order_key, consumer, number)
);

CREATE INDEX ix_deliveries_due ON deliveries (parked, ready_at);

CREATE INDEX ix_deliveries_event_id ON deliveries (event_id);

CREATE TABLE consumers (
    name VARCHAR(100) NOT NULL,
    known_since VARCHAR(27) NOT NULL,
    served_at VARCHAR(27),
    CONSTRAINT pk_consumers PRIMARY KEY (name)
);

CREATE TABLE backfills (
    consumer VARCHAR(100) NOT NULL,
    state VARCHAR(10) NOT NULL,
    after VARCHAR(200) NOT NULL,
    number BIGINT NOT NULL,
    queued INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT,
    started_at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_backfills PRIMARY KEY (consumer)
);

CREATE TABLE epochs (
    id INTEGER NOT NULL,
    epoch VARCHAR(36) NOT NULL,
    CONSTRAINT pk_epochs PRIMARY KEY (id)
);

CREATE TABLE instances (
    id VARCHAR(36) NOT NULL,
    confirmed_at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_instances PRIMARY KEY (id)
);

CREATE TABLE idempotency_keys (
    user_id VARCHAR(36) NOT NULL,
    command VARCHAR(80) NOT NULL,
    request_id VARCHAR(64) NOT NULL,
    payload_hash VARCHAR(64) NOT NULL,
    holder VARCHAR(36) NOT NULL,
    leased_until VARCHAR(27),
    steps TEXT,
    answer TEXT,
    about VARCHAR(100),
    at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (user_id, command, request_id)
);

CREATE INDEX ix_idempotency_keys_about ON idempotency_keys (about);

CREATE INDEX ix_idempotency_keys_at ON idempotency_keys (at);

CREATE TABLE timers (
    key VARCHAR(200) NOT NULL,
    due_at VARCHAR(27) NOT NULL,
    name VARCHAR(64) NOT NULL,
    data TEXT NOT NULL,
    CONSTRAINT pk_timers PRIMARY KEY (key)
);

CREATE INDEX ix_timers_due_at ON timers (due_at);

CREATE TABLE throttles (
    key VARCHAR(64) NOT NULL,
    tries INTEGER NOT NULL,
    free_at VARCHAR(27) NOT NULL,
    ends_at VARCHAR(27) NOT NULL,
    reported BOOLEAN NOT NULL,
    CONSTRAINT pk_throttles PRIMARY KEY (key)
);

CREATE INDEX ix_throttles_ends_at ON throttles (ends_at);

CREATE TABLE pools (
    id VARCHAR(36) NOT NULL,
    capacity INTEGER NOT NULL,
    taken INTEGER NOT NULL,
    CONSTRAINT pk_pools PRIMARY KEY (id),
    CONSTRAINT ck_pools_taken_within_capacity CHECK (taken >= 0 AND taken <= capacity)
);

CREATE TABLE users (
    id VARCHAR(36) NOT NULL,
    email VARCHAR(254) NOT NULL,
    email_verified BOOLEAN NOT NULL,
    first_name VARCHAR(100) NOT NULL,
    last_name VARCHAR(100) NOT NULL,
    language VARCHAR(2) NOT NULL,
    time_zone VARCHAR(64) NOT NULL,
    roles TEXT NOT NULL,
    settings TEXT NOT NULL,
    picture_id VARCHAR(36),
    created_at VARCHAR(27) NOT NULL,
    updated_at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_users PRIMARY KEY (id),
    CONSTRAINT uq_users_email UNIQUE (email)
);

CREATE TABLE pincodes (
    id VARCHAR(36) NOT NULL,
    email VARCHAR(254) NOT NULL,
    purpose VARCHAR(20) NOT NULL,
    asker VARCHAR(64) NOT NULL,
    trusted BOOLEAN NOT NULL,
    ticket_hash VARCHAR(64) NOT NULL,
    fingerprint VARCHAR(64) NOT NULL,
    tries INTEGER NOT NULL,
    expires_at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_pincodes PRIMARY KEY (id)
);

CREATE INDEX ix_pincodes_expires_at ON pincodes (expires_at);

CREATE INDEX ix_pincodes_email_purpose ON pincodes (email, purpose);

CREATE TABLE oauth_attempts (
    state_hash VARCHAR(64) NOT NULL,
    browser_hash VARCHAR(64) NOT NULL,
    provider VARCHAR(40) NOT NULL,
    sealed TEXT NOT NULL,
    expires_at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_oauth_attempts PRIMARY KEY (state_hash)
);

CREATE INDEX ix_oauth_attempts_expires_at ON oauth_attempts (expires_at);

CREATE TABLE oauth_tickets (
    hash VARCHAR(64) NOT NULL,
    challenge VARCHAR(43),
    fresh BOOLEAN NOT NULL,
    sealed TEXT NOT NULL,
    expires_at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_oauth_tickets PRIMARY KEY (hash)
);

CREATE INDEX ix_oauth_tickets_expires_at ON oauth_tickets (expires_at);

CREATE TABLE link_pages (
    place INTEGER NOT NULL,
    fingerprint VARCHAR(64) NOT NULL,
    message_id VARCHAR(36) NOT NULL,
    page TEXT,
    at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_link_pages PRIMARY KEY (place)
);

CREATE INDEX ix_link_pages_at ON link_pages (at);

CREATE INDEX ix_link_pages_message_id ON link_pages (message_id);

CREATE TABLE link_counts (
    key VARCHAR(50) NOT NULL,
    count INTEGER NOT NULL,
    since VARCHAR(27) NOT NULL,
    CONSTRAINT pk_link_counts PRIMARY KEY (key)
);

CREATE INDEX ix_link_counts_since ON link_counts (since);

CREATE TABLE conversations (
    id VARCHAR(36) NOT NULL,
    kind VARCHAR(10) NOT NULL,
    name VARCHAR(100),
    direct_key VARCHAR(73),
    created_by VARCHAR(36) NOT NULL,
    opened_at VARCHAR(27) NOT NULL,
    picture_id VARCHAR(36),
    CONSTRAINT pk_conversations PRIMARY KEY (id),
    CONSTRAINT uq_conversations_direct_key UNIQUE (direct_key)
);

CREATE TABLE moderation_cases (
    id VARCHAR(36) NOT NULL,
    message_id VARCHAR(36) NOT NULL,
    conversation_id VARCHAR(36) NOT NULL,
    sender_id VARCHAR(36),
    status VARCHAR(10) NOT NULL,
    flags INTEGER NOT NULL,
    reasons TEXT NOT NULL,
    hit TEXT,
    hidden BOOLEAN NOT NULL,
    was_hidden BOOLEAN NOT NULL,
    opened_at VARCHAR(27) NOT NULL,
    closed_at VARCHAR(27),
    decided_by VARCHAR(36),
    version INTEGER NOT NULL,
    CONSTRAINT pk_moderation_cases PRIMARY KEY (id)
);

CREATE UNIQUE INDEX ix_moderation_cases_open ON moderation_cases (message_id) WHERE closed_at IS NULL;

CREATE INDEX ix_moderation_cases_queue ON moderation_cases (id) WHERE closed_at IS NULL;

CREATE INDEX ix_moderation_cases_message_id ON moderation_cases (message_id);

CREATE INDEX ix_moderation_cases_sender_id ON moderation_cases (sender_id);

CREATE TABLE moderation_audit (
    id VARCHAR(36) NOT NULL,
    at VARCHAR(27) NOT NULL,
    act VARCHAR(20) NOT NULL,
    actor_id VARCHAR(36),
    user_id VARCHAR(36),
    role VARCHAR(20),
    case_id VARCHAR(36),
    message_id VARCHAR(36),
    note TEXT NOT NULL,
    CONSTRAINT pk_moderation_audit PRIMARY KEY (id)
);

CREATE INDEX ix_moderation_audit_actor_id ON moderation_audit (actor_id);

CREATE TABLE dispatches (
    id VARCHAR(36) NOT NULL,
    channel VARCHAR(20) NOT NULL,
    kind VARCHAR(40) NOT NULL,
    notification_id VARCHAR(36),
    sealed TEXT NOT NULL,
    status VARCHAR(20) NOT NULL,
    attempts INTEGER NOT NULL,
    created_at VARCHAR(27) NOT NULL,
    done_at VARCHAR(27),
    CONSTRAINT pk_dispatches PRIMARY KEY (id)
);

CREATE INDEX ix_dispatches_done_at ON dispatches (done_at);

CREATE TABLE waiting_stays (
    id VARCHAR(36) NOT NULL,
    booking_id VARCHAR(36) NOT NULL,
    instance_id VARCHAR(36) NOT NULL,
    CONSTRAINT pk_waiting_stays PRIMARY KEY (id)
);

CREATE INDEX ix_waiting_stays_instance_id ON waiting_stays (instance_id);

CREATE INDEX ix_waiting_stays_booking_id ON waiting_stays (booking_id);

CREATE TABLE holds (
    pool_id VARCHAR(36) NOT NULL,
    for_id VARCHAR(36) NOT NULL,
    kind VARCHAR(20) NOT NULL,
    holder_id VARCHAR(36) NOT NULL,
    taken_at VARCHAR(27) NOT NULL,
    expires_at VARCHAR(27),
    CONSTRAINT pk_holds PRIMARY KEY (pool_id, for_id),
    CONSTRAINT fk_holds_pool_id FOREIGN KEY(pool_id) REFERENCES pools (id)
);

CREATE INDEX ix_holds_pool_id_taken_at ON holds (pool_id, taken_at);

CREATE TABLE account_deletions (
    user_id VARCHAR(36) NOT NULL,
    asked_at VARCHAR(27) NOT NULL,
    due_at VARCHAR(27) NOT NULL,
    erased_at VARCHAR(27),
    CONSTRAINT pk_account_deletions PRIMARY KEY (user_id),
    CONSTRAINT fk_account_deletions_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE TABLE exports (
    id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) NOT NULL,
    status VARCHAR(10) NOT NULL,
    percent INTEGER NOT NULL,
    size BIGINT,
    asked_at VARCHAR(27) NOT NULL,
    expires_at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_exports PRIMARY KEY (id),
    CONSTRAINT fk_exports_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE UNIQUE INDEX ix_exports_once ON exports (user_id) WHERE status = 'preparing';

CREATE INDEX ix_exports_user_id ON exports (user_id);

CREATE TABLE credentials (
    user_id VARCHAR(36) NOT NULL,
    password_hash TEXT NOT NULL,
    set_at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_credentials PRIMARY KEY (user_id),
    CONSTRAINT fk_credentials_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE TABLE sessions (
    id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) NOT NULL,
    device VARCHAR(200) NOT NULL,
    device_name VARCHAR(100) NOT NULL,
    address VARCHAR(64) NOT NULL,
    place VARCHAR(200) NOT NULL,
    created_at VARCHAR(27) NOT NULL,
    refreshed_at VARCHAR(27) NOT NULL,
    seen_at VARCHAR(27) NOT NULL,
    proved_at VARCHAR(27) NOT NULL,
    expires_at VARCHAR(27) NOT NULL,
    ended_at VARCHAR(27),
    end_reason VARCHAR(40),
    device_id VARCHAR(36),
    CONSTRAINT pk_sessions PRIMARY KEY (id),
    CONSTRAINT fk_sessions_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE INDEX ix_sessions_user_id ON sessions (user_id);

CREATE INDEX ix_sessions_ended_at ON sessions (ended_at);

CREATE TABLE known_devices (
    id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) NOT NULL,
    known_since VARCHAR(27) NOT NULL,
    seen_at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_known_devices PRIMARY KEY (id),
    CONSTRAINT fk_known_devices_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE INDEX ix_known_devices_seen_at ON known_devices (seen_at);

CREATE INDEX ix_known_devices_user_id ON known_devices (user_id);

CREATE TABLE identities (
    id VARCHAR(36) NOT NULL,
    issuer VARCHAR(500) NOT NULL,
    subject VARCHAR(255) NOT NULL,
    user_id VARCHAR(36) NOT NULL,
    provider VARCHAR(40) NOT NULL,
    email VARCHAR(254),
    linked_at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_identities PRIMARY KEY (id),
    CONSTRAINT fk_identities_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE UNIQUE INDEX uq_identities_issuer_subject ON identities (issuer, subject);

CREATE INDEX ix_identities_user_id ON identities (user_id);

CREATE TABLE uploads (
    id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) NOT NULL,
    name VARCHAR(200) NOT NULL,
    content_type VARCHAR(100) NOT NULL,
    kind VARCHAR(10) NOT NULL,
    size BIGINT NOT NULL,
    sha256 VARCHAR(64),
    status VARCHAR(10) NOT NULL,
    key VARCHAR(100) NOT NULL,
    parts_id VARCHAR(500),
    checked_until VARCHAR(27),
    thumbnail BOOLEAN NOT NULL,
    width INTEGER,
    height INTEGER,
    used BOOLEAN NOT NULL,
    public BOOLEAN NOT NULL,
    created_at VARCHAR(27) NOT NULL,
    hit TEXT,
    CONSTRAINT pk_uploads PRIMARY KEY (id),
    CONSTRAINT fk_uploads_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE INDEX ix_uploads_user_id ON uploads (user_id);

CREATE TABLE conversation_members (
    conversation_id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) NOT NULL,
    from_seq BIGINT NOT NULL,
    to_seq BIGINT,
    role VARCHAR(10) NOT NULL,
    closed BOOLEAN NOT NULL,
    CONSTRAINT pk_conversation_members PRIMARY KEY (conversation_id, user_id, from_seq),
    CONSTRAINT fk_conversation_members_conversation_id FOREIGN KEY(conversation_id) REFERENCES conversations (id),
    CONSTRAINT fk_conversation_members_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE UNIQUE INDEX ix_conversation_members_once ON conversation_members (conversation_id, user_id) WHERE to_seq IS NULL;

CREATE INDEX ix_conversation_members_user_id ON conversation_members (user_id, conversation_id);

CREATE TABLE conversation_states (
    conversation_id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) NOT NULL,
    muted_until VARCHAR(27),
    archived BOOLEAN NOT NULL,
    draft TEXT NOT NULL,
    CONSTRAINT pk_conversation_states PRIMARY KEY (conversation_id, user_id),
    CONSTRAINT fk_conversation_states_conversation_id FOREIGN KEY(conversation_id) REFERENCES conversations (id),
    CONSTRAINT fk_conversation_states_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE TABLE blocked_people (
    user_id VARCHAR(36) NOT NULL,
    blocked_id VARCHAR(36) NOT NULL,
    at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_blocked_people PRIMARY KEY (user_id, blocked_id),
    CONSTRAINT fk_blocked_people_user_id FOREIGN KEY(user_id) REFERENCES users (id),
    CONSTRAINT fk_blocked_people_blocked_id FOREIGN KEY(blocked_id) REFERENCES users (id)
);

CREATE INDEX ix_blocked_people_blocked_id ON blocked_people (blocked_id);

CREATE TABLE messages (
    id VARCHAR(36) NOT NULL,
    conversation_id VARCHAR(36) NOT NULL,
    seq BIGINT NOT NULL,
    said_seq BIGINT NOT NULL,
    sender_id VARCHAR(36),
    client_id VARCHAR(64),
    kind VARCHAR(10) NOT NULL,
    text TEXT NOT NULL,
    card_kind VARCHAR(40),
    card_id VARCHAR(36),
    card_data TEXT,
    sent_at VARCHAR(27) NOT NULL,
    edited_at VARCHAR(27),
    deleted BOOLEAN NOT NULL,
    reply_to VARCHAR(36),
    mentions TEXT,
    preview TEXT,
    hidden BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT pk_messages PRIMARY KEY (id),
    CONSTRAINT uq_messages_conversation_id_sender_id_client_id UNIQUE (conversation_id, sender_id, client_id),
    CONSTRAINT uq_messages_conversation_id_seq UNIQUE (conversation_id, seq),
    CONSTRAINT fk_messages_conversation_id FOREIGN KEY(conversation_id) REFERENCES conversations (id)
);

CREATE INDEX ix_messages_card ON messages (card_kind, card_id) WHERE card_id IS NOT NULL;

CREATE TABLE marks (
    conversation_id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) NOT NULL,
    kind VARCHAR(10) NOT NULL,
    seq BIGINT NOT NULL,
    told_seq BIGINT NOT NULL,
    told_at VARCHAR(27),
    CONSTRAINT pk_marks PRIMARY KEY (conversation_id, user_id, kind),
    CONSTRAINT fk_marks_conversation_id FOREIGN KEY(conversation_id) REFERENCES conversations (id),
    CONSTRAINT fk_marks_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE TABLE mark_steps (
    conversation_id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) NOT NULL,
    kind VARCHAR(10) NOT NULL,
    seq BIGINT NOT NULL,
    at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_mark_steps PRIMARY KEY (conversation_id, user_id, kind, seq),
    CONSTRAINT fk_mark_steps_conversation_id FOREIGN KEY(conversation_id) REFERENCES conversations (id),
    CONSTRAINT fk_mark_steps_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE INDEX ix_mark_steps_at ON mark_steps (at);

CREATE TABLE moderation_flags (
    message_id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) NOT NULL,
    case_id VARCHAR(36) NOT NULL,
    reason VARCHAR(20) NOT NULL,
    note TEXT NOT NULL,
    at VARCHAR(27) NOT NULL,
    answered BOOLEAN NOT NULL,
    CONSTRAINT pk_moderation_flags PRIMARY KEY (message_id, user_id),
    CONSTRAINT fk_moderation_flags_case_id FOREIGN KEY(case_id) REFERENCES moderation_cases (id)
);

CREATE INDEX ix_moderation_flags_case_id ON moderation_flags (case_id);

CREATE INDEX ix_moderation_flags_user_id_at ON moderation_flags (user_id, at);

CREATE TABLE notifications (
    id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) NOT NULL,
    kind VARCHAR(40) NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    link TEXT NOT NULL,
    data TEXT NOT NULL,
    created_at VARCHAR(27) NOT NULL,
    read_at VARCHAR(27),
    mail_status VARCHAR(10) NOT NULL,
    about_id VARCHAR(36),
    CONSTRAINT pk_notifications PRIMARY KEY (id),
    CONSTRAINT fk_notifications_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE INDEX ix_notifications_unread ON notifications (user_id) WHERE read_at IS NULL;

CREATE INDEX ix_notifications_about_id ON notifications (about_id);

CREATE INDEX ix_notifications_user_id_id ON notifications (user_id, id);

CREATE TABLE push_devices (
    token_hash VARCHAR(64) NOT NULL,
    user_id VARCHAR(36) NOT NULL,
    session_id VARCHAR(36) NOT NULL,
    platform VARCHAR(10) NOT NULL,
    sealed_token TEXT NOT NULL,
    registered_at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_push_devices PRIMARY KEY (token_hash),
    CONSTRAINT fk_push_devices_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE INDEX ix_push_devices_user_id ON push_devices (user_id);

CREATE INDEX ix_push_devices_session_id ON push_devices (session_id);

CREATE TABLE presences (
    user_id VARCHAR(36) NOT NULL,
    online BOOLEAN NOT NULL,
    status VARCHAR(10) NOT NULL,
    last_seen_at VARCHAR(27),
    changed_at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_presences PRIMARY KEY (user_id),
    CONSTRAINT fk_presences_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE INDEX ix_presences_changed_at ON presences (changed_at);

CREATE TABLE presence_holdings (
    user_id VARCHAR(36) NOT NULL,
    instance_id VARCHAR(36) NOT NULL,
    CONSTRAINT pk_presence_holdings PRIMARY KEY (user_id, instance_id),
    CONSTRAINT fk_presence_holdings_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE INDEX ix_presence_holdings_instance_id ON presence_holdings (instance_id);

CREATE TABLE consultants (
    id VARCHAR(36) NOT NULL,
    first_name VARCHAR(100) NOT NULL,
    last_name VARCHAR(100) NOT NULL,
    about_me TEXT NOT NULL,
    languages TEXT NOT NULL,
    country VARCHAR(2) NOT NULL,
    time_zone VARCHAR(64) NOT NULL,
    age INTEGER,
    gender VARCHAR(20),
    picture_id VARCHAR(36),
    status VARCHAR(20) NOT NULL,
    available_now BOOLEAN NOT NULL,
    onboarded_at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_consultants PRIMARY KEY (id),
    CONSTRAINT fk_consultants_id FOREIGN KEY(id) REFERENCES users (id)
);

CREATE INDEX ix_consultants_status_id ON consultants (status, id);

CREATE TABLE bookings (
    id VARCHAR(36) NOT NULL,
    student_id VARCHAR(36) NOT NULL,
    consultant_id VARCHAR(36) NOT NULL,
    topic_id VARCHAR(36) NOT NULL,
    block_id VARCHAR(36),
    starts_at VARCHAR(27) NOT NULL,
    ends_at VARCHAR(27) NOT NULL,
    status VARCHAR(20) NOT NULL,
    note TEXT NOT NULL,
    reason TEXT,
    rate_amount BIGINT NOT NULL,
    rate_currency VARCHAR(3) NOT NULL,
    minimal_duration_minutes INTEGER NOT NULL,
    hold_expires_at VARCHAR(27),
    version INTEGER NOT NULL,
    created_at VARCHAR(27) NOT NULL,
    call_held BOOLEAN NOT NULL,
    CONSTRAINT pk_bookings PRIMARY KEY (id),
    CONSTRAINT fk_bookings_student_id FOREIGN KEY(student_id) REFERENCES users (id),
    CONSTRAINT fk_bookings_consultant_id FOREIGN KEY(consultant_id) REFERENCES users (id)
);

CREATE INDEX ix_bookings_consultant_id_id ON bookings (consultant_id, id);

CREATE INDEX ix_bookings_block_id ON bookings (block_id);

CREATE INDEX ix_bookings_student_id_id ON bookings (student_id, id);

CREATE TABLE calls (
    id VARCHAR(36) NOT NULL,
    booking_id VARCHAR(36) NOT NULL,
    consultant_id VARCHAR(36) NOT NULL,
    student_id VARCHAR(36) NOT NULL,
    status VARCHAR(20) NOT NULL,
    initiated_at VARCHAR(27) NOT NULL,
    started_at VARCHAR(27),
    interrupted_at VARCHAR(27),
    ended_at VARCHAR(27),
    talked_s INTEGER NOT NULL,
    CONSTRAINT pk_calls PRIMARY KEY (id),
    CONSTRAINT fk_calls_consultant_id FOREIGN KEY(consultant_id) REFERENCES users (id),
    CONSTRAINT fk_calls_student_id FOREIGN KEY(student_id) REFERENCES users (id)
);

CREATE UNIQUE INDEX ix_calls_live_consultant_id ON calls (consultant_id) WHERE status != 'ended';

CREATE INDEX ix_calls_booking_id ON calls (booking_id);

CREATE INDEX ix_calls_live_student_id ON calls (student_id) WHERE status != 'ended';

CREATE TABLE waiting_rooms (
    block_id VARCHAR(36) NOT NULL,
    consultant_id VARCHAR(36) NOT NULL,
    closes_at VARCHAR(27) NOT NULL,
    finished_calls INTEGER NOT NULL,
    talked_s INTEGER NOT NULL,
    call_id VARCHAR(36),
    call_started_at VARCHAR(27),
    CONSTRAINT pk_waiting_rooms PRIMARY KEY (block_id),
    CONSTRAINT fk_waiting_rooms_consultant_id FOREIGN KEY(consultant_id) REFERENCES users (id)
);

CREATE INDEX ix_waiting_rooms_consultant_id ON waiting_rooms (consultant_id);

CREATE TABLE refresh_tokens (
    hash VARCHAR(64) NOT NULL,
    session_id VARCHAR(36) NOT NULL,
    issued_at VARCHAR(27) NOT NULL,
    used_at VARCHAR(27),
    successor_hash VARCHAR(64),
    successor_sealed TEXT,
    CONSTRAINT pk_refresh_tokens PRIMARY KEY (hash),
    CONSTRAINT fk_refresh_tokens_session_id FOREIGN KEY(session_id) REFERENCES sessions (id)
);

CREATE INDEX ix_refresh_tokens_session_id ON refresh_tokens (session_id);

CREATE INDEX ix_refresh_tokens_used_at ON refresh_tokens (used_at);

CREATE TABLE message_reactions (
    message_id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) NOT NULL,
    emoji VARCHAR(40) NOT NULL,
    at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_message_reactions PRIMARY KEY (message_id, user_id, emoji),
    CONSTRAINT fk_message_reactions_message_id FOREIGN KEY(message_id) REFERENCES messages (id)
);

CREATE INDEX ix_message_reactions_user_id ON message_reactions (user_id);

CREATE TABLE message_removals (
    user_id VARCHAR(36) NOT NULL,
    message_id VARCHAR(36) NOT NULL,
    CONSTRAINT pk_message_removals PRIMARY KEY (user_id, message_id),
    CONSTRAINT fk_message_removals_user_id FOREIGN KEY(user_id) REFERENCES users (id),
    CONSTRAINT fk_message_removals_message_id FOREIGN KEY(message_id) REFERENCES messages (id)
);

CREATE INDEX ix_message_removals_message_id ON message_removals (message_id);

CREATE TABLE pinned_messages (
    conversation_id VARCHAR(36) NOT NULL,
    message_id VARCHAR(36) NOT NULL,
    pinned_by VARCHAR(36) NOT NULL,
    at VARCHAR(27) NOT NULL,
    CONSTRAINT pk_pinned_messages PRIMARY KEY (conversation_id, message_id),
    CONSTRAINT fk_pinned_messages_conversation_id FOREIGN KEY(conversation_id) REFERENCES conversations (id),
    CONSTRAINT fk_pinned_messages_message_id FOREIGN KEY(message_id) REFERENCES messages (id)
);

CREATE TABLE paused_consultants (
    consultant_id VARCHAR(36) NOT NULL,
    status VARCHAR(20) NOT NULL,
    CONSTRAINT pk_paused_consultants PRIMARY KEY (consultant_id),
    CONSTRAINT fk_paused_consultants_consultant_id FOREIGN KEY(consultant_id) REFERENCES consultants (id)
);

CREATE TABLE topics (
    id VARCHAR(36) NOT NULL,
    consultant_id VARCHAR(36) NOT NULL,
    name VARCHAR(100) NOT NULL,
    description TEXT NOT NULL,
    rate_amount BIGINT NOT NULL,
    rate_currency VARCHAR(3) NOT NULL,
    minimal_duration_minutes INTEGER NOT NULL,
    icon_id VARCHAR(36),
    active BOOLEAN NOT NULL,
    CONSTRAINT pk_topics PRIMARY KEY (id),
    CONSTRAINT fk_topics_consultant_id FOREIGN KEY(consultant_id) REFERENCES consultants (id)
);

CREATE INDEX ix_topics_consultant_id_id ON topics (consultant_id, id);

CREATE TABLE available_now (
    consultant_id VARCHAR(36) NOT NULL,
    available BOOLEAN NOT NULL,
    back_after_call BOOLEAN NOT NULL,
    call_id VARCHAR(36),
    resumes BOOLEAN NOT NULL,
    CONSTRAINT pk_available_now PRIMARY KEY (consultant_id),
    CONSTRAINT fk_available_now_consultant_id FOREIGN KEY(consultant_id) REFERENCES consultants (id)
);

CREATE TABLE blocks (
    id VARCHAR(36) NOT NULL,
    consultant_id VARCHAR(36) NOT NULL,
    starts_at VARCHAR(27) NOT NULL,
    ends_at VARCHAR(27) NOT NULL,
    wanted_calls INTEGER NOT NULL,
    cancelled BOOLEAN NOT NULL,
    CONSTRAINT pk_blocks PRIMARY KEY (id),
    CONSTRAINT uq_blocks_consultant_id_starts_at UNIQUE (consultant_id, starts_at),
    CONSTRAINT fk_blocks_id FOREIGN KEY(id) REFERENCES pools (id),
    CONSTRAINT fk_blocks_consultant_id FOREIGN KEY(consultant_id) REFERENCES consultants (id)
);

CREATE TABLE schedules (
    consultant_id VARCHAR(36) NOT NULL,
    time_zone VARCHAR(64) NOT NULL,
    hours TEXT NOT NULL,
    CONSTRAINT pk_schedules PRIMARY KEY (consultant_id),
    CONSTRAINT fk_schedules_consultant_id FOREIGN KEY(consultant_id) REFERENCES consultants (id)
);

CREATE TABLE overrides (
    consultant_id VARCHAR(36) NOT NULL,
    week VARCHAR(8) NOT NULL,
    hours TEXT NOT NULL,
    CONSTRAINT pk_overrides PRIMARY KEY (consultant_id, week),
    CONSTRAINT fk_overrides_consultant_id FOREIGN KEY(consultant_id) REFERENCES consultants (id)
);

CREATE TABLE booked_quarters (
    student_id VARCHAR(36) NOT NULL,
    quarter VARCHAR(27) NOT NULL,
    booking_id VARCHAR(36) NOT NULL,
    CONSTRAINT pk_booked_quarters PRIMARY KEY (student_id, quarter),
    CONSTRAINT fk_booked_quarters_student_id FOREIGN KEY(student_id) REFERENCES users (id),
    CONSTRAINT fk_booked_quarters_booking_id FOREIGN KEY(booking_id) REFERENCES bookings (id)
);

CREATE INDEX ix_booked_quarters_booking_id ON booked_quarters (booking_id);

CREATE TABLE instant_requests (
    student_id VARCHAR(36) NOT NULL,
    consultant_id VARCHAR(36) NOT NULL,
    booking_id VARCHAR(36) NOT NULL,
    CONSTRAINT pk_instant_requests PRIMARY KEY (student_id, consultant_id),
    CONSTRAINT fk_instant_requests_student_id FOREIGN KEY(student_id) REFERENCES users (id),
    CONSTRAINT fk_instant_requests_consultant_id FOREIGN KEY(consultant_id) REFERENCES users (id),
    CONSTRAINT fk_instant_requests_booking_id FOREIGN KEY(booking_id) REFERENCES bookings (id)
);

CREATE INDEX ix_instant_requests_booking_id ON instant_requests (booking_id);

CREATE TABLE call_stays (
    id VARCHAR(36) NOT NULL,
    call_id VARCHAR(36) NOT NULL,
    device_id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) NOT NULL,
    instance_id VARCHAR(36) NOT NULL,
    joined_at VARCHAR(27) NOT NULL,
    left_at VARCHAR(27),
    noted_by VARCHAR(36),
    CONSTRAINT pk_call_stays PRIMARY KEY (id),
    CONSTRAINT fk_call_stays_call_id FOREIGN KEY(call_id) REFERENCES calls (id)
);

CREATE INDEX ix_call_stays_user_id ON call_stays (user_id);

CREATE UNIQUE INDEX ix_call_stays_open_device_id ON call_stays (device_id) WHERE left_at IS NULL;

CREATE INDEX ix_call_stays_call_id ON call_stays (call_id);

CREATE INDEX ix_call_stays_instance_id_left_at ON call_stays (instance_id, left_at);

CREATE TABLE waiting_places (
    booking_id VARCHAR(36) NOT NULL,
    block_id VARCHAR(36) NOT NULL,
    student_id VARCHAR(36) NOT NULL,
    entered_at VARCHAR(27) NOT NULL,
    lost_at VARCHAR(27),
    CONSTRAINT pk_waiting_places PRIMARY KEY (booking_id),
    CONSTRAINT fk_waiting_places_block_id FOREIGN KEY(block_id) REFERENCES waiting_rooms (block_id),
    CONSTRAINT fk_waiting_places_student_id FOREIGN KEY(student_id) REFERENCES users (id)
);

CREATE INDEX ix_waiting_places_student_id ON waiting_places (student_id);

CREATE INDEX ix_waiting_places_block_id_entered_at ON waiting_places (block_id, entered_at);

CREATE TABLE waiting_list (
    block_id VARCHAR(36) NOT NULL,
    user_id VARCHAR(36) NOT NULL,
    joined_at VARCHAR(27) NOT NULL,
    offer_id VARCHAR(36),
    offer_expires_at VARCHAR(27),
    CONSTRAINT pk_waiting_list PRIMARY KEY (block_id, user_id),
    CONSTRAINT fk_waiting_list_block_id FOREIGN KEY(block_id) REFERENCES blocks (id),
    CONSTRAINT fk_waiting_list_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE INDEX ix_waiting_list_user_id ON waiting_list (user_id);

ALTER TABLE messages ADD COLUMN terms tsvector GENERATED ALWAYS AS (
        CASE WHEN kind IN ('text', 'media') THEN
            to_tsvector('simple', translate(
                text || ' ' || coalesce(card_data::json ->> 'name', ''),
                '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', repeat(' ', 32)))
            || array_to_tsvector(ARRAY['@' || conversation_id])
        END) STORED;

CREATE INDEX ix_messages_terms ON messages USING gin (terms);

INSERT INTO alembic_version ("version_num")
VALUES ('2026_11_29_parley_0_1_0');

INSERT INTO backfills ("consumer", "state", "after", "number", "queued", "attempts", "error", "started_at")
VALUES ('1 consumer', 'running', '1 after', 1, 1, 1, 'the error', '2026-11-21T09:30:00.000001Z');

INSERT INTO backfills ("consumer", "state", "after", "number", "queued", "attempts", "error", "started_at")
VALUES ('2 consumer', 'done', '2 after', 2, 2, 2, NULL, '2026-11-22T09:30:00.000002Z');

INSERT INTO consumers ("name", "known_since", "served_at")
VALUES ('1 name', '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z');

INSERT INTO consumers ("name", "known_since", "served_at")
VALUES ('2 name', '2026-11-22T09:30:00.000002Z', NULL);

INSERT INTO conversations ("id", "kind", "name", "direct_key", "created_by", "opened_at", "picture_id")
VALUES ('00000000-0000-7000-8000-000000110001', 'direct', '1 name', '1 direct_key', '00000000-0000-7000-8000-000001330001', '2026-11-21T09:30:00.000001Z', '00000000-0000-7000-8000-000003070001');

INSERT INTO conversations ("id", "kind", "name", "direct_key", "created_by", "opened_at", "picture_id")
VALUES ('00000000-0000-7000-8000-000000110002', 'group', NULL, NULL, '00000000-0000-7000-8000-000001330002', '2026-11-22T09:30:00.000002Z', NULL);

INSERT INTO deliveries ("order_key", "consumer", "number", "event_id", "attempts", "ready_at", "parked", "error")
VALUES ('1 order_key', 'platform.notifications.tell_people', 1, '00000000-0000-7000-8000-000000370001', 1, '2026-11-21T09:30:00.000001Z', TRUE, 'the error');

INSERT INTO deliveries ("order_key", "consumer", "number", "event_id", "attempts", "ready_at", "parked", "error")
VALUES ('2 order_key', 'consulting.booking.expire_the_request', 2, '00000000-0000-7000-8000-000000370002', 2, '2026-11-22T09:30:00.000002Z', FALSE, NULL);

INSERT INTO dispatches ("id", "channel", "kind", "notification_id", "sealed", "status", "attempts", "created_at", "done_at")
VALUES ('00000000-0000-7000-8000-000000260001', 'email', 'notice', '00000000-0000-7000-8000-000002690001', 'the sealed', 'waiting', 1, '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z');

INSERT INTO dispatches ("id", "channel", "kind", "notification_id", "sealed", "status", "attempts", "created_at", "done_at")
VALUES ('00000000-0000-7000-8000-000000260002', 'email', 'pincode', NULL, 'It''s "quoted": 50% of it, \ and ü;
-- a second line', 'sent', 2, '2026-11-22T09:30:00.000002Z', NULL);

INSERT INTO epochs ("id", "epoch")
VALUES (1, 1);

INSERT INTO epochs ("id", "epoch")
VALUES (2, 2);

INSERT INTO events ("id", "name", "version", "at", "data", "private", "sealed", "subject", "order_key", "actor_id", "address", "correlation_id", "membership", "told_to")
VALUES ('00000000-0000-7000-8000-000000370001', 'platform.USER_CREATED', 1, '2026-11-21T09:30:00.000001Z', '{"user_id":"one"}', '{}', TRUE, '1 subject', 'user:one', '00000000-0000-7000-8000-000001330001', '1 address', '00000000-0000-7000-8000-000000480001', '{}', '1 told_to');

INSERT INTO events ("id", "name", "version", "at", "data", "private", "sealed", "subject", "order_key", "actor_id", "address", "correlation_id", "membership", "told_to")
VALUES ('00000000-0000-7000-8000-000000370002', 'consulting.BOOKING_APPROVED', 2, '2026-11-22T09:30:00.000002Z', '{}', NULL, FALSE, NULL, 'booking:two', NULL, NULL, NULL, NULL, NULL);

INSERT INTO idempotency_keys ("user_id", "command", "request_id", "payload_hash", "holder", "leased_until", "steps", "answer", "about", "at")
VALUES ('00000000-0000-7000-8000-000001330001', '/booking request', '1 request_id', '1 payload_hash', '00000000-0000-7000-8000-000000550001', '2026-11-21T09:30:00.000001Z', '{"paid":true}', '{"id":"one"}', '1 about', '2026-11-21T09:30:00.000001Z');

INSERT INTO idempotency_keys ("user_id", "command", "request_id", "payload_hash", "holder", "leased_until", "steps", "answer", "about", "at")
VALUES ('00000000-0000-7000-8000-000001330002', '/chat send', '2 request_id', '2 payload_hash', '00000000-0000-7000-8000-000000550002', NULL, NULL, NULL, NULL, '2026-11-22T09:30:00.000002Z');

INSERT INTO instances ("id", "confirmed_at")
VALUES ('00000000-0000-7000-8000-000000610001', '2026-11-21T09:30:00.000001Z');

INSERT INTO instances ("id", "confirmed_at")
VALUES ('00000000-0000-7000-8000-000000610002', '2026-11-22T09:30:00.000002Z');

INSERT INTO link_counts ("key", "count", "since")
VALUES ('1 key', 1, '2026-11-21T09:30:00.000001Z');

INSERT INTO link_counts ("key", "count", "since")
VALUES ('2 key', 2, '2026-11-22T09:30:00.000002Z');

INSERT INTO link_pages ("place", "fingerprint", "message_id", "page", "at")
VALUES (1, '1 fingerprint', '00000000-0000-7000-8000-000002440001', '{"title":"A page","url":"https://example.org/"}', '2026-11-21T09:30:00.000001Z');

INSERT INTO link_pages ("place", "fingerprint", "message_id", "page", "at")
VALUES (2, '2 fingerprint', '00000000-0000-7000-8000-000002440002', NULL, '2026-11-22T09:30:00.000002Z');

INSERT INTO moderation_audit ("id", "at", "act", "actor_id", "user_id", "role", "case_id", "message_id", "note")
VALUES ('00000000-0000-7000-8000-000000710001', '2026-11-21T09:30:00.000001Z', 'hide', '00000000-0000-7000-8000-000001330001', '00000000-0000-7000-8000-000001330001', '1 role', '00000000-0000-7000-8000-000000770001', '00000000-0000-7000-8000-000002440001', 'the note');

INSERT INTO moderation_audit ("id", "at", "act", "actor_id", "user_id", "role", "case_id", "message_id", "note")
VALUES ('00000000-0000-7000-8000-000000710002', '2026-11-22T09:30:00.000002Z', 'undo', NULL, NULL, NULL, NULL, NULL, 'It''s "quoted": 50% of it, \ and ü;
-- a second line');

INSERT INTO moderation_cases ("id", "message_id", "conversation_id", "sender_id", "status", "flags", "reasons", "hit", "hidden", "was_hidden", "opened_at", "closed_at", "decided_by", "version")
VALUES ('00000000-0000-7000-8000-000000800001', '00000000-0000-7000-8000-000002440001', '00000000-0000-7000-8000-000000110001', '00000000-0000-7000-8000-000001330001', 'open', 1, '["spam"]', 'the hit', TRUE, TRUE, '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z', '00000000-0000-7000-8000-000000920001', 1);

INSERT INTO moderation_cases ("id", "message_id", "conversation_id", "sender_id", "status", "flags", "reasons", "hit", "hidden", "was_hidden", "opened_at", "closed_at", "decided_by", "version")
VALUES ('00000000-0000-7000-8000-000000800002', '00000000-0000-7000-8000-000002440002', '00000000-0000-7000-8000-000000110002', NULL, 'dismissed', 2, '[]', NULL, FALSE, FALSE, '2026-11-22T09:30:00.000002Z', NULL, NULL, 2);

INSERT INTO oauth_attempts ("state_hash", "browser_hash", "provider", "sealed", "expires_at")
VALUES ('1 state_hash', '1 browser_hash', '1 provider', 'the sealed', '2026-11-21T09:30:00.000001Z');

INSERT INTO oauth_attempts ("state_hash", "browser_hash", "provider", "sealed", "expires_at")
VALUES ('2 state_hash', '2 browser_hash', '2 provider', 'It''s "quoted": 50% of it, \ and ü;
-- a second line', '2026-11-22T09:30:00.000002Z');

INSERT INTO oauth_tickets ("hash", "challenge", "fresh", "sealed", "expires_at")
VALUES ('1 hash', '1 challenge', TRUE, 'the sealed', '2026-11-21T09:30:00.000001Z');

INSERT INTO oauth_tickets ("hash", "challenge", "fresh", "sealed", "expires_at")
VALUES ('2 hash', NULL, FALSE, 'It''s "quoted": 50% of it, \ and ü;
-- a second line', '2026-11-22T09:30:00.000002Z');

INSERT INTO order_keys ("order_key", "number")
VALUES ('1 order_key', 1);

INSERT INTO order_keys ("order_key", "number")
VALUES ('2 order_key', 2);

INSERT INTO pincodes ("id", "email", "purpose", "asker", "trusted", "ticket_hash", "fingerprint", "tries", "expires_at")
VALUES ('00000000-0000-7000-8000-000001060001', '1 email', '1 purpose', '1 asker', TRUE, '1 ticket_hash', '1 fingerprint', 1, '2026-11-21T09:30:00.000001Z');

INSERT INTO pincodes ("id", "email", "purpose", "asker", "trusted", "ticket_hash", "fingerprint", "tries", "expires_at")
VALUES ('00000000-0000-7000-8000-000001060002', '2 email', '2 purpose', '2 asker', FALSE, '2 ticket_hash', '2 fingerprint', 2, '2026-11-22T09:30:00.000002Z');

INSERT INTO pools ("id", "capacity", "taken")
VALUES ('00000000-0000-7000-8000-000001150001', 1, 1);

INSERT INTO pools ("id", "capacity", "taken")
VALUES ('00000000-0000-7000-8000-000001150002', 2, 2);

INSERT INTO stream_events ("stream", "seq", "event_id")
VALUES ('1 stream', 1, '00000000-0000-7000-8000-000000370001');

INSERT INTO stream_events ("stream", "seq", "event_id")
VALUES ('2 stream', 2, '00000000-0000-7000-8000-000000370002');

INSERT INTO stream_heads ("stream", "seq", "moved_at")
VALUES ('1 stream', 1, '2026-11-21T09:30:00.000001Z');

INSERT INTO stream_heads ("stream", "seq", "moved_at")
VALUES ('2 stream', 2, '2026-11-22T09:30:00.000002Z');

INSERT INTO throttles ("key", "tries", "free_at", "ends_at", "reported")
VALUES ('sign_in:one', 1, '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z', TRUE);

INSERT INTO throttles ("key", "tries", "free_at", "ends_at", "reported")
VALUES ('sign_in:two', 2, '2026-11-22T09:30:00.000002Z', '2026-11-22T09:30:00.000002Z', FALSE);

INSERT INTO timers ("key", "due_at", "name", "data")
VALUES ('1 key', '2026-11-21T09:30:00.000001Z', 'platform.SESSION_DUE', '{"session_id":"one"}');

INSERT INTO timers ("key", "due_at", "name", "data")
VALUES ('2 key', '2026-11-22T09:30:00.000002Z', 'consulting.CALL_DUE', '{}');

INSERT INTO users ("id", "email", "email_verified", "first_name", "last_name", "language", "time_zone", "roles", "settings", "picture_id", "created_at", "updated_at")
VALUES ('00000000-0000-7000-8000-000001330001', '1 email', TRUE, '1 first_name', '1 last_name', 'en', '1 time_zone', '["student","consultant"]', '{"read_receipts":false}', '00000000-0000-7000-8000-000003070001', '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z');

INSERT INTO users ("id", "email", "email_verified", "first_name", "last_name", "language", "time_zone", "roles", "settings", "picture_id", "created_at", "updated_at")
VALUES ('00000000-0000-7000-8000-000001330002', '2 email', FALSE, '2 first_name', '2 last_name', 'de', '2 time_zone', '[]', '{}', NULL, '2026-11-22T09:30:00.000002Z', '2026-11-22T09:30:00.000002Z');

INSERT INTO waiting_stays ("id", "booking_id", "instance_id")
VALUES ('00000000-0000-7000-8000-000001450001', '00000000-0000-7000-8000-000001550001', '00000000-0000-7000-8000-000000610001');

INSERT INTO waiting_stays ("id", "booking_id", "instance_id")
VALUES ('00000000-0000-7000-8000-000001450002', '00000000-0000-7000-8000-000001550002', '00000000-0000-7000-8000-000000610002');

INSERT INTO account_deletions ("user_id", "asked_at", "due_at", "erased_at")
VALUES ('00000000-0000-7000-8000-000001330001', '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z');

INSERT INTO account_deletions ("user_id", "asked_at", "due_at", "erased_at")
VALUES ('00000000-0000-7000-8000-000001330002', '2026-11-22T09:30:00.000002Z', '2026-11-22T09:30:00.000002Z', NULL);

INSERT INTO blocked_people ("user_id", "blocked_id", "at")
VALUES ('00000000-0000-7000-8000-000001330001', '00000000-0000-7000-8000-000001330001', '2026-11-21T09:30:00.000001Z');

INSERT INTO blocked_people ("user_id", "blocked_id", "at")
VALUES ('00000000-0000-7000-8000-000001330002', '00000000-0000-7000-8000-000001330002', '2026-11-22T09:30:00.000002Z');

INSERT INTO bookings ("id", "student_id", "consultant_id", "topic_id", "block_id", "starts_at", "ends_at", "status", "note", "reason", "rate_amount", "rate_currency", "minimal_duration_minutes", "hold_expires_at", "version", "created_at", "call_held")
VALUES ('00000000-0000-7000-8000-000001550001', '00000000-0000-7000-8000-000001330001', '00000000-0000-7000-8000-000001330001', '00000000-0000-7000-8000-000003810001', '00000000-0000-7000-8000-000001150001', '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z', 'approved', 'the note', 'the reason', 1, 'EUR', 1, '2026-11-21T09:30:00.000001Z', 1, '2026-11-21T09:30:00.000001Z', TRUE);

INSERT INTO bookings ("id", "student_id", "consultant_id", "topic_id", "block_id", "starts_at", "ends_at", "status", "note", "reason", "rate_amount", "rate_currency", "minimal_duration_minutes", "hold_expires_at", "version", "created_at", "call_held")
VALUES ('00000000-0000-7000-8000-000001550002', '00000000-0000-7000-8000-000001330002', '00000000-0000-7000-8000-000001330002', '00000000-0000-7000-8000-000003810002', NULL, '2026-11-22T09:30:00.000002Z', '2026-11-22T09:30:00.000002Z', 'requested', 'It''s "quoted": 50% of it, \ and ü;
-- a second line', NULL, 2, 'USD', 2, NULL, 2, '2026-11-22T09:30:00.000002Z', FALSE);

INSERT INTO calls ("id", "booking_id", "consultant_id", "student_id", "status", "initiated_at", "started_at", "interrupted_at", "ended_at", "talked_s")
VALUES ('00000000-0000-7000-8000-000001720001', '00000000-0000-7000-8000-000001550001', '00000000-0000-7000-8000-000001330001', '00000000-0000-7000-8000-000001330001', 'active', '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z', 1);

INSERT INTO calls ("id", "booking_id", "consultant_id", "student_id", "status", "initiated_at", "started_at", "interrupted_at", "ended_at", "talked_s")
VALUES ('00000000-0000-7000-8000-000001720002', '00000000-0000-7000-8000-000001550002', '00000000-0000-7000-8000-000001330002', '00000000-0000-7000-8000-000001330002', 'ended', '2026-11-22T09:30:00.000002Z', NULL, NULL, NULL, 2);

INSERT INTO consultants ("id", "first_name", "last_name", "about_me", "languages", "country", "time_zone", "age", "gender", "picture_id", "status", "available_now", "onboarded_at")
VALUES ('00000000-0000-7000-8000-000001330001', '1 first_name', '1 last_name', 'the about_me', '["pt","en"]', 'PT', '1 time_zone', 1, '1 gender', '00000000-0000-7000-8000-000003070001', 'active', TRUE, '2026-11-21T09:30:00.000001Z');

INSERT INTO consultants ("id", "first_name", "last_name", "about_me", "languages", "country", "time_zone", "age", "gender", "picture_id", "status", "available_now", "onboarded_at")
VALUES ('00000000-0000-7000-8000-000001330002', '2 first_name', '2 last_name', 'It''s "quoted": 50% of it, \ and ü;
-- a second line', '[]', 'DE', '2 time_zone', NULL, NULL, NULL, 'stopped', FALSE, '2026-11-22T09:30:00.000002Z');

INSERT INTO conversation_members ("conversation_id", "user_id", "from_seq", "to_seq", "role", "closed")
VALUES ('00000000-0000-7000-8000-000000110001', '00000000-0000-7000-8000-000001330001', 1, 1, 'owner', TRUE);

INSERT INTO conversation_members ("conversation_id", "user_id", "from_seq", "to_seq", "role", "closed")
VALUES ('00000000-0000-7000-8000-000000110002', '00000000-0000-7000-8000-000001330002', 2, NULL, 'member', FALSE);

INSERT INTO conversation_states ("conversation_id", "user_id", "muted_until", "archived", "draft")
VALUES ('00000000-0000-7000-8000-000000110001', '00000000-0000-7000-8000-000001330001', '2026-11-21T09:30:00.000001Z', TRUE, 'the draft');

INSERT INTO conversation_states ("conversation_id", "user_id", "muted_until", "archived", "draft")
VALUES ('00000000-0000-7000-8000-000000110002', '00000000-0000-7000-8000-000001330002', NULL, FALSE, 'It''s "quoted": 50% of it, \ and ü;
-- a second line');

INSERT INTO credentials ("user_id", "password_hash", "set_at")
VALUES ('00000000-0000-7000-8000-000001330001', 'the password_hash', '2026-11-21T09:30:00.000001Z');

INSERT INTO credentials ("user_id", "password_hash", "set_at")
VALUES ('00000000-0000-7000-8000-000001330002', 'It''s "quoted": 50% of it, \ and ü;
-- a second line', '2026-11-22T09:30:00.000002Z');

INSERT INTO exports ("id", "user_id", "status", "percent", "size", "asked_at", "expires_at")
VALUES ('00000000-0000-7000-8000-000002090001', '00000000-0000-7000-8000-000001330001', 'preparing', 1, 1, '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z');

INSERT INTO exports ("id", "user_id", "status", "percent", "size", "asked_at", "expires_at")
VALUES ('00000000-0000-7000-8000-000002090002', '00000000-0000-7000-8000-000001330002', 'ready', 2, NULL, '2026-11-22T09:30:00.000002Z', '2026-11-22T09:30:00.000002Z');

INSERT INTO holds ("pool_id", "for_id", "kind", "holder_id", "taken_at", "expires_at")
VALUES ('00000000-0000-7000-8000-000001150001', '00000000-0000-7000-8000-000002170001', 'booking', '00000000-0000-7000-8000-000002190001', '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z');

INSERT INTO holds ("pool_id", "for_id", "kind", "holder_id", "taken_at", "expires_at")
VALUES ('00000000-0000-7000-8000-000001150002', '00000000-0000-7000-8000-000002170002', 'hold', '00000000-0000-7000-8000-000002190002', '2026-11-22T09:30:00.000002Z', NULL);

INSERT INTO identities ("id", "issuer", "subject", "user_id", "provider", "email", "linked_at")
VALUES ('00000000-0000-7000-8000-000002220001', 'https://accounts.example', '1 subject', '00000000-0000-7000-8000-000001330001', '1 provider', '1 email', '2026-11-21T09:30:00.000001Z');

INSERT INTO identities ("id", "issuer", "subject", "user_id", "provider", "email", "linked_at")
VALUES ('00000000-0000-7000-8000-000002220002', 'https://id.example', '2 subject', '00000000-0000-7000-8000-000001330002', '2 provider', NULL, '2026-11-22T09:30:00.000002Z');

INSERT INTO known_devices ("id", "user_id", "known_since", "seen_at")
VALUES ('00000000-0000-7000-8000-000002290001', '00000000-0000-7000-8000-000001330001', '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z');

INSERT INTO known_devices ("id", "user_id", "known_since", "seen_at")
VALUES ('00000000-0000-7000-8000-000002290002', '00000000-0000-7000-8000-000001330002', '2026-11-22T09:30:00.000002Z', '2026-11-22T09:30:00.000002Z');

INSERT INTO mark_steps ("conversation_id", "user_id", "kind", "seq", "at")
VALUES ('00000000-0000-7000-8000-000000110001', '00000000-0000-7000-8000-000001330001', 'delivered', 1, '2026-11-21T09:30:00.000001Z');

INSERT INTO mark_steps ("conversation_id", "user_id", "kind", "seq", "at")
VALUES ('00000000-0000-7000-8000-000000110002', '00000000-0000-7000-8000-000001330002', 'read', 2, '2026-11-22T09:30:00.000002Z');

INSERT INTO marks ("conversation_id", "user_id", "kind", "seq", "told_seq", "told_at")
VALUES ('00000000-0000-7000-8000-000000110001', '00000000-0000-7000-8000-000001330001', 'delivered', 1, 1, '2026-11-21T09:30:00.000001Z');

INSERT INTO marks ("conversation_id", "user_id", "kind", "seq", "told_seq", "told_at")
VALUES ('00000000-0000-7000-8000-000000110002', '00000000-0000-7000-8000-000001330002', 'read', 2, 2, NULL);

INSERT INTO messages ("id", "conversation_id", "seq", "said_seq", "sender_id", "client_id", "kind", "text", "card_kind", "card_id", "card_data", "sent_at", "edited_at", "deleted", "reply_to", "mentions", "preview", "hidden")
VALUES ('00000000-0000-7000-8000-000002440001', '00000000-0000-7000-8000-000000110001', 1, 1, '00000000-0000-7000-8000-000001330001', '1 client_id', 'text', 'the text', 'booking', '00000000-0000-7000-8000-000002530001', '{"name":"Moving house"}', '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z', TRUE, '00000000-0000-7000-8000-000002580001', '["one"]', '{}', TRUE);

INSERT INTO messages ("id", "conversation_id", "seq", "said_seq", "sender_id", "client_id", "kind", "text", "card_kind", "card_id", "card_data", "sent_at", "edited_at", "deleted", "reply_to", "mentions", "preview", "hidden")
VALUES ('00000000-0000-7000-8000-000002440002', '00000000-0000-7000-8000-000000110002', 2, 2, NULL, NULL, 'media', 'It''s "quoted": 50% of it, \ and ü;
-- a second line', NULL, NULL, NULL, '2026-11-22T09:30:00.000002Z', NULL, FALSE, NULL, NULL, NULL, FALSE);

INSERT INTO moderation_flags ("message_id", "user_id", "case_id", "reason", "note", "at", "answered")
VALUES ('00000000-0000-7000-8000-000002440001', '00000000-0000-7000-8000-000001330001', '00000000-0000-7000-8000-000000800001', 'spam', 'the note', '2026-11-21T09:30:00.000001Z', TRUE);

INSERT INTO moderation_flags ("message_id", "user_id", "case_id", "reason", "note", "at", "answered")
VALUES ('00000000-0000-7000-8000-000002440002', '00000000-0000-7000-8000-000001330002', '00000000-0000-7000-8000-000000800002', 'other', 'It''s "quoted": 50% of it, \ and ü;
-- a second line', '2026-11-22T09:30:00.000002Z', FALSE);

INSERT INTO notifications ("id", "user_id", "kind", "title", "body", "link", "data", "created_at", "read_at", "mail_status", "about_id")
VALUES ('00000000-0000-7000-8000-000002690001', '00000000-0000-7000-8000-000001330001', '1 kind', 'the title', 'the body', 'the link', '{}', '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z', 'none', '00000000-0000-7000-8000-000002790001');

INSERT INTO notifications ("id", "user_id", "kind", "title", "body", "link", "data", "created_at", "read_at", "mail_status", "about_id")
VALUES ('00000000-0000-7000-8000-000002690002', '00000000-0000-7000-8000-000001330002', '2 kind', 'It''s "quoted": 50% of it, \ and ü;
-- a second line', 'It''s "quoted": 50% of it, \ and ü;
-- a second line', 'It''s "quoted": 50% of it, \ and ü;
-- a second line', '{}', '2026-11-22T09:30:00.000002Z', NULL, 'sent', NULL);

INSERT INTO presence_holdings ("user_id", "instance_id")
VALUES ('00000000-0000-7000-8000-000001330001', '00000000-0000-7000-8000-000000610001');

INSERT INTO presence_holdings ("user_id", "instance_id")
VALUES ('00000000-0000-7000-8000-000001330002', '00000000-0000-7000-8000-000000610002');

INSERT INTO presences ("user_id", "online", "status", "last_seen_at", "changed_at")
VALUES ('00000000-0000-7000-8000-000001330001', TRUE, 'active', '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z');

INSERT INTO presences ("user_id", "online", "status", "last_seen_at", "changed_at")
VALUES ('00000000-0000-7000-8000-000001330002', FALSE, 'away', NULL, '2026-11-22T09:30:00.000002Z');

INSERT INTO push_devices ("token_hash", "user_id", "session_id", "platform", "sealed_token", "registered_at")
VALUES ('1 token_hash', '00000000-0000-7000-8000-000001330001', '00000000-0000-7000-8000-000002930001', 'ios', 'the sealed_token', '2026-11-21T09:30:00.000001Z');

INSERT INTO push_devices ("token_hash", "user_id", "session_id", "platform", "sealed_token", "registered_at")
VALUES ('2 token_hash', '00000000-0000-7000-8000-000001330002', '00000000-0000-7000-8000-000002930002', 'android', 'It''s "quoted": 50% of it, \ and ü;
-- a second line', '2026-11-22T09:30:00.000002Z');

INSERT INTO sessions ("id", "user_id", "device", "device_name", "address", "place", "created_at", "refreshed_at", "seen_at", "proved_at", "expires_at", "ended_at", "end_reason", "device_id")
VALUES ('00000000-0000-7000-8000-000002930001', '00000000-0000-7000-8000-000001330001', '1 device', '1 device_name', '192.0.2.1', '1 place', '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z', '1 end_reason', '00000000-0000-7000-8000-000003060001');

INSERT INTO sessions ("id", "user_id", "device", "device_name", "address", "place", "created_at", "refreshed_at", "seen_at", "proved_at", "expires_at", "ended_at", "end_reason", "device_id")
VALUES ('00000000-0000-7000-8000-000002930002', '00000000-0000-7000-8000-000001330002', '2 device', '2 device_name', '', '2 place', '2026-11-22T09:30:00.000002Z', '2026-11-22T09:30:00.000002Z', '2026-11-22T09:30:00.000002Z', '2026-11-22T09:30:00.000002Z', '2026-11-22T09:30:00.000002Z', NULL, NULL, NULL);

INSERT INTO uploads ("id", "user_id", "name", "content_type", "kind", "size", "sha256", "status", "key", "parts_id", "checked_until", "thumbnail", "width", "height", "used", "public", "created_at", "hit")
VALUES ('00000000-0000-7000-8000-000003070001', '00000000-0000-7000-8000-000001330001', '1 name', '1 content_type', 'image', 1, '1 sha256', 'ready', '1 key', '1 parts_id', '2026-11-21T09:30:00.000001Z', TRUE, 1, 1, TRUE, TRUE, '2026-11-21T09:30:00.000001Z', 'the hit');

INSERT INTO uploads ("id", "user_id", "name", "content_type", "kind", "size", "sha256", "status", "key", "parts_id", "checked_until", "thumbnail", "width", "height", "used", "public", "created_at", "hit")
VALUES ('00000000-0000-7000-8000-000003070002', '00000000-0000-7000-8000-000001330002', '2 name', '2 content_type', 'file', 2, NULL, 'waiting', '2 key', NULL, NULL, FALSE, NULL, NULL, FALSE, FALSE, '2026-11-22T09:30:00.000002Z', NULL);

INSERT INTO waiting_rooms ("block_id", "consultant_id", "closes_at", "finished_calls", "talked_s", "call_id", "call_started_at")
VALUES ('00000000-0000-7000-8000-000001150001', '00000000-0000-7000-8000-000001330001', '2026-11-21T09:30:00.000001Z', 1, 1, '00000000-0000-7000-8000-000001720001', '2026-11-21T09:30:00.000001Z');

INSERT INTO waiting_rooms ("block_id", "consultant_id", "closes_at", "finished_calls", "talked_s", "call_id", "call_started_at")
VALUES ('00000000-0000-7000-8000-000001150002', '00000000-0000-7000-8000-000001330002', '2026-11-22T09:30:00.000002Z', 2, 2, NULL, NULL);

INSERT INTO available_now ("consultant_id", "available", "back_after_call", "call_id", "resumes")
VALUES ('00000000-0000-7000-8000-000001330001', TRUE, TRUE, '00000000-0000-7000-8000-000001720001', TRUE);

INSERT INTO available_now ("consultant_id", "available", "back_after_call", "call_id", "resumes")
VALUES ('00000000-0000-7000-8000-000001330002', FALSE, FALSE, NULL, FALSE);

INSERT INTO blocks ("id", "consultant_id", "starts_at", "ends_at", "wanted_calls", "cancelled")
VALUES ('00000000-0000-7000-8000-000001150001', '00000000-0000-7000-8000-000001330001', '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z', 1, TRUE);

INSERT INTO blocks ("id", "consultant_id", "starts_at", "ends_at", "wanted_calls", "cancelled")
VALUES ('00000000-0000-7000-8000-000001150002', '00000000-0000-7000-8000-000001330002', '2026-11-22T09:30:00.000002Z', '2026-11-22T09:30:00.000002Z', 2, FALSE);

INSERT INTO booked_quarters ("student_id", "quarter", "booking_id")
VALUES ('00000000-0000-7000-8000-000001330001', '2026-11-21T09:30:00.000001Z', '00000000-0000-7000-8000-000001550001');

INSERT INTO booked_quarters ("student_id", "quarter", "booking_id")
VALUES ('00000000-0000-7000-8000-000001330002', '2026-11-22T09:30:00.000002Z', '00000000-0000-7000-8000-000001550002');

INSERT INTO call_stays ("id", "call_id", "device_id", "user_id", "instance_id", "joined_at", "left_at", "noted_by")
VALUES ('00000000-0000-7000-8000-000003460001', '00000000-0000-7000-8000-000001720001', '00000000-0000-7000-8000-000003480001', '00000000-0000-7000-8000-000001330001', '00000000-0000-7000-8000-000000610001', '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z', '00000000-0000-7000-8000-000003530001');

INSERT INTO call_stays ("id", "call_id", "device_id", "user_id", "instance_id", "joined_at", "left_at", "noted_by")
VALUES ('00000000-0000-7000-8000-000003460002', '00000000-0000-7000-8000-000001720002', '00000000-0000-7000-8000-000003480002', '00000000-0000-7000-8000-000001330002', '00000000-0000-7000-8000-000000610002', '2026-11-22T09:30:00.000002Z', NULL, NULL);

INSERT INTO instant_requests ("student_id", "consultant_id", "booking_id")
VALUES ('00000000-0000-7000-8000-000001330001', '00000000-0000-7000-8000-000001330001', '00000000-0000-7000-8000-000001550001');

INSERT INTO instant_requests ("student_id", "consultant_id", "booking_id")
VALUES ('00000000-0000-7000-8000-000001330002', '00000000-0000-7000-8000-000001330002', '00000000-0000-7000-8000-000001550002');

INSERT INTO message_reactions ("message_id", "user_id", "emoji", "at")
VALUES ('00000000-0000-7000-8000-000002440001', '00000000-0000-7000-8000-000001330001', '👍', '2026-11-21T09:30:00.000001Z');

INSERT INTO message_reactions ("message_id", "user_id", "emoji", "at")
VALUES ('00000000-0000-7000-8000-000002440002', '00000000-0000-7000-8000-000001330002', '🎉', '2026-11-22T09:30:00.000002Z');

INSERT INTO message_removals ("user_id", "message_id")
VALUES ('00000000-0000-7000-8000-000001330001', '00000000-0000-7000-8000-000002440001');

INSERT INTO message_removals ("user_id", "message_id")
VALUES ('00000000-0000-7000-8000-000001330002', '00000000-0000-7000-8000-000002440002');

INSERT INTO overrides ("consultant_id", "week", "hours")
VALUES ('00000000-0000-7000-8000-000001330001', '2026-W48', '[{"weekday":4,"hour":16,"max_calls":1}]');

INSERT INTO overrides ("consultant_id", "week", "hours")
VALUES ('00000000-0000-7000-8000-000001330002', '2026-W49', '[]');

INSERT INTO paused_consultants ("consultant_id", "status")
VALUES ('00000000-0000-7000-8000-000001330001', 'pending');

INSERT INTO paused_consultants ("consultant_id", "status")
VALUES ('00000000-0000-7000-8000-000001330002', 'active');

INSERT INTO pinned_messages ("conversation_id", "message_id", "pinned_by", "at")
VALUES ('00000000-0000-7000-8000-000000110001', '00000000-0000-7000-8000-000002440001', '00000000-0000-7000-8000-000003700001', '2026-11-21T09:30:00.000001Z');

INSERT INTO pinned_messages ("conversation_id", "message_id", "pinned_by", "at")
VALUES ('00000000-0000-7000-8000-000000110002', '00000000-0000-7000-8000-000002440002', '00000000-0000-7000-8000-000003700002', '2026-11-22T09:30:00.000002Z');

INSERT INTO refresh_tokens ("hash", "session_id", "issued_at", "used_at", "successor_hash", "successor_sealed")
VALUES ('1 hash', '00000000-0000-7000-8000-000002930001', '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z', '1 successor_hash', 'the successor_sealed');

INSERT INTO refresh_tokens ("hash", "session_id", "issued_at", "used_at", "successor_hash", "successor_sealed")
VALUES ('2 hash', '00000000-0000-7000-8000-000002930002', '2026-11-22T09:30:00.000002Z', NULL, NULL, NULL);

INSERT INTO schedules ("consultant_id", "time_zone", "hours")
VALUES ('00000000-0000-7000-8000-000001330001', '1 time_zone', '[{"weekday":0,"hour":9,"max_calls":3}]');

INSERT INTO schedules ("consultant_id", "time_zone", "hours")
VALUES ('00000000-0000-7000-8000-000001330002', '2 time_zone', '[]');

INSERT INTO topics ("id", "consultant_id", "name", "description", "rate_amount", "rate_currency", "minimal_duration_minutes", "icon_id", "active")
VALUES ('00000000-0000-7000-8000-000003810001', '00000000-0000-7000-8000-000001330001', '1 name', 'the description', 1, 'EUR', 1, '00000000-0000-7000-8000-000003070001', TRUE);

INSERT INTO topics ("id", "consultant_id", "name", "description", "rate_amount", "rate_currency", "minimal_duration_minutes", "icon_id", "active")
VALUES ('00000000-0000-7000-8000-000003810002', '00000000-0000-7000-8000-000001330002', '2 name', 'It''s "quoted": 50% of it, \ and ü;
-- a second line', 2, 'USD', 2, NULL, FALSE);

INSERT INTO waiting_places ("booking_id", "block_id", "student_id", "entered_at", "lost_at")
VALUES ('00000000-0000-7000-8000-000001550001', '00000000-0000-7000-8000-000001150001', '00000000-0000-7000-8000-000001330001', '2026-11-21T09:30:00.000001Z', '2026-11-21T09:30:00.000001Z');

INSERT INTO waiting_places ("booking_id", "block_id", "student_id", "entered_at", "lost_at")
VALUES ('00000000-0000-7000-8000-000001550002', '00000000-0000-7000-8000-000001150002', '00000000-0000-7000-8000-000001330002', '2026-11-22T09:30:00.000002Z', NULL);

INSERT INTO waiting_list ("block_id", "user_id", "joined_at", "offer_id", "offer_expires_at")
VALUES ('00000000-0000-7000-8000-000001150001', '00000000-0000-7000-8000-000001330001', '2026-11-21T09:30:00.000001Z', '00000000-0000-7000-8000-000003980001', '2026-11-21T09:30:00.000001Z');

INSERT INTO waiting_list ("block_id", "user_id", "joined_at", "offer_id", "offer_expires_at")
VALUES ('00000000-0000-7000-8000-000001150002', '00000000-0000-7000-8000-000001330002', '2026-11-22T09:30:00.000002Z', NULL, NULL);
