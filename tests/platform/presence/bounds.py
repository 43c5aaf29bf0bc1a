"""Exceptions of `presence` to the rules for queries and waits, see `tests/bounds.py`."""

from tests.bounds import BY_IDS

BOUNDED = {
    "list_presences": BY_IDS,
}
