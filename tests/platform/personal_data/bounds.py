"""Exceptions of `personal_data` to the rules for queries and waits, see `tests/bounds.py`."""

BOUNDED = {
    "kept_json.list_kept": "the statement is built with a LIMIT",
    "personal_rows.list_rows": "the statement is built with a LIMIT",
}
WAITS = {
    "archive.py:run_to_completion": "one write to a local file",
}
