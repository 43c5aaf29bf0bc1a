"""What bounds `notifications`, as `tests/bounds.py` asks."""

from tests.bounds import BY_IDS

BOUNDED = {
    "inbox.mark_read": BY_IDS,
    "push_devices.list_devices": "a user has at most DEVICES_MAX",
}
