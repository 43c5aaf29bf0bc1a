"""The bounds of `availability`'s queries; see `tests/bounds.py`."""

from tests.bounds import BY_IDS

A_BLOCK = "a block has at most 60 calls, and each place or waiting person is one of it"
BOUNDED = {
    "busy.list_holders": "the quarters of one booking, for one user",
    "busy.list_busy": BY_IDS,
    "busy.list_quarters": "the quarters of at most three months, for one user",
    "schedules.list_waited": "lists of one user, of which there are at most WAITS_MAX",
    "schedules.list_empty": BY_IDS,
    "schedules.list_overrides": "weeks of one schedule, as far ahead as weeks may be set",
    "waiting_lists.close_waiting_list": "a waiting list has at most WAITING_MAX users",
    "waiting_lists.list_offered": A_BLOCK,
}
