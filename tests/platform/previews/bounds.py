"""Exceptions of `previews` to the rules for queries and waits, see `tests/bounds.py`."""

WAITS = {
    "fetch.py:get_page": "it is entered only while a slot is free",
}
