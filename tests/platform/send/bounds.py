"""Exceptions of `send` to the rules for queries and waits, see `tests/bounds.py`."""

WAITS = {
    "mail.py:_send": "each step of the SMTP connection has a timeout",
}
