"""The bounds of `call`'s queries; see `tests/bounds.py`."""

from tests.bounds import BY_IDS

BOUNDED = {
    "calls.list_over": BY_IDS,
    "calls.list_stays": "the stays of one call; calls end, and joining has a rate limit",
    "quality.list_quality": "the two participants of one call",
    "provider_stays.list_stays": "at most `STAYS_MAX` in `reports.py`",
}
