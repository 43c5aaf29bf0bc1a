"""The bounds of `booking`'s queries; see `tests/bounds.py`."""

A_BLOCK = "a block has at most 60 calls, each with one place or one waiting user"
BOUNDED = {
    "list_overdue": A_BLOCK,
}
