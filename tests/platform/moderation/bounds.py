"""Exceptions of `moderation` to the rules for queries and waits, see `tests/bounds.py`."""

BOUNDED = {
    "answer_flags": "a member flags a message once, and a group has a size",
}
