"""What bounds `profile`, as `tests/bounds.py` asks."""

from tests.bounds import BY_IDS

BOUNDED = {
    "list_users": BY_IDS,
}
SCANNED = {
    "_ANYBODY": "it stops at the first row",
}
