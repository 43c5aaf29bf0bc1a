"""The bounds of `consultants`'s queries; see `tests/bounds.py`."""

from tests.bounds import BY_IDS

BOUNDED = {
    "list_topics": "a consultant has at most TOPICS_MAX; of a page of consultants",
    "sum_topic_texts": BY_IDS,
}
