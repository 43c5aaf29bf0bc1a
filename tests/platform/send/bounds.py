"""Exceptions of `send` to the rules for queries and waits, see `tests/bounds.py`."""

WAITS = {
    "mail.py:_send": "a connection with a time for each step",
}
