"""The bounds of `consultants`'s queries; see `tests/bounds.py`."""

from tests.bounds import BY_IDS

BOUNDED = {
    "list_topics": "TOPICS_MAX for each consultant of a page",
    "sum_topic_texts": BY_IDS,
}
