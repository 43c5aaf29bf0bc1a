"""Exceptions of `identities` to the rules for queries and waits, see `tests/bounds.py`."""

BOUNDED = {
    "list_identities": "a person has at most IDENTITIES_MAX",
}

ONCE = "whoever is before it asks once, with a time"
WAITS = {
    "openid.py:_discover": ONCE,
    "openid.py:_get_keys": ONCE,
}
