"""What bounds `identities`, as `tests/bounds.py` asks."""

BOUNDED = {
    "list_identities": "a person has at most IDENTITIES_MAX",
}

ONCE = "whoever is before it asks once, with a time"
WAITS = {
    "openid.py:_discover": ONCE,
    "openid.py:_get_keys": ONCE,
}
