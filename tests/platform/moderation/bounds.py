"""What bounds `moderation`, as `tests/bounds.py` asks."""

BOUNDED = {
    "answer_flags": "a member flags a message once, and a group has a size",
}
