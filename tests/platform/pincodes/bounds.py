"""Exceptions of `pincodes` to the rules for queries and waits, see `tests/bounds.py`."""

BOUNDED = {
    "lock_pincodes": "a rate limits the pincodes of one address until they are deleted",
}
