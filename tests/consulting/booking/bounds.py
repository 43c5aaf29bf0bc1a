"""The bounds of `booking`'s queries; see `tests/bounds.py`."""

A_BLOCK = "a block has at most 60 calls, and each place or waiting person is one of it"
BOUNDED = {
    "list_overdue": A_BLOCK,
}
