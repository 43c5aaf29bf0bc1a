"""What bounds `pincodes`, as `tests/bounds.py` asks."""

BOUNDED = {
    "lock_pincodes": "of one address, as many as may be sent until they are forgotten",
}
