"""Exceptions of `send` to the rules for queries and waits, see `tests/bounds.py`."""

BOUNDED = {
    "list_waiting": "one row for each channel",
    "list_paused": "one row for each channel",
}
SCANNED = {
    "_LIST_PAUSED": "the table has at most one row for each channel",
}
WAITS = {
    "smtp.py:run": "a connection with a time for each step",
}
