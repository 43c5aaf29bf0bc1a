"""Exceptions of `previews` to the rules for queries and waits, see `tests/bounds.py`."""

WAITS = {
    "fetch.py:get_page": "the caller checks first that a slot is free",
}
