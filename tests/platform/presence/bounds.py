"""What bounds `presence`, as `tests/bounds.py` asks."""

from tests.bounds import BY_IDS

BOUNDED = {
    "list_presences": BY_IDS,
}
