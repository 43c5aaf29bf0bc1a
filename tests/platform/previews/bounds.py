"""What bounds `previews`, as `tests/bounds.py` asks."""

WAITS = {
    "fetch.py:get_page": "it is entered only while a slot is free",
}
