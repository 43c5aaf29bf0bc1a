"""Exceptions of `auth` to the rules for queries and waits, see `tests/bounds.py`."""

BOUNDED = {
    "sessions.list_live_sessions": "a user has at most SESSIONS_MAX",
}
