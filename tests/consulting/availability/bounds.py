"""The bounds of `availability`'s queries; see `tests/bounds.py`."""

from tests.bounds import BY_IDS

A_BLOCK = "a block has at most 60 calls, each with one place or one waiting user"
BOUNDED = {
    "busy.list_holders": "the quarter hours of one booking of one user",
    "busy.list_busy": BY_IDS,
    "busy.list_quarters": "the quarters of at most three months, for one user",
    "schedules.list_waited_of": "lists of one user, of which there are at most WAITS_MAX",
    "schedules.list_waited": "lists of one user, of which there are at most WAITS_MAX",
    "schedules.list_empty": BY_IDS,
    "schedules.list_overrides": "the weeks of one schedule, up to the last that can be set",
    "waiting_lists.close_waiting_list": "a waiting list has at most WAITING_MAX users",
    "waiting_lists.list_offered": A_BLOCK,
}
