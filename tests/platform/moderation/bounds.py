"""Exceptions of `moderation` to the rules for queries and waits, see `tests/bounds.py`."""

BOUNDED = {
    "answer_flags": "one flag for each member of the group",
}
