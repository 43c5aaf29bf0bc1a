"""Exceptions of `identities` to the rules for queries and waits, see `tests/bounds.py`."""

BOUNDED = {
    "list_identities": "a user has at most IDENTITIES_MAX",
}

ONCE = "each waiting task sends one request with a timeout"
WAITS = {
    "openid.py:_discover": ONCE,
    "openid.py:_get_keys": ONCE,
}
