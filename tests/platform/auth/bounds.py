"""What bounds `auth`, as `tests/bounds.py` asks."""

BOUNDED = {
    "sessions.list_live_sessions": "a person has at most SESSIONS_MAX",
}
