"""The bounds of `call`'s queries; see `tests/bounds.py`."""

from tests.bounds import BY_IDS

BOUNDED = {
    "list_over": BY_IDS,
    "list_stays": "the stays of one call; calls end, and joining has a rate limit",
}
