"""What bounds `send`, as `tests/bounds.py` asks."""

WAITS = {
    "mail.py:_send": "a connection with a time for each step",
}
