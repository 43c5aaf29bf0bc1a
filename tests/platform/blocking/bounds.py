"""What bounds `blocking`, as `tests/bounds.py` asks."""

from tests.bounds import BY_IDS

BOUNDED = {
    "list_blocked": "a user blocks at most BLOCKED_MAX others",
    "list_blockers": BY_IDS,
    "list_blocks_by": "BLOCKED_MAX for each user of a page",
    "list_separated": BY_IDS,
}
