"""Exceptions of `pincodes` to the rules for queries and waits, see `tests/bounds.py`."""

BOUNDED = {
    "lock_pincodes": "of one address, as many as may be sent until they are forgotten",
}
