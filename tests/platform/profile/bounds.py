"""Exceptions of `profile` to the rules for queries and waits, see `tests/bounds.py`."""

from tests.bounds import BY_IDS

BOUNDED = {
    "list_users": BY_IDS,
}
SCANNED = {
    "_ANYBODY": "it stops at the first row",
}
