"""Who was in a call, and when: as the video provider reported it, else by our own connections.

Invariants:
- A side counts by the provider's reports as soon as there is one of that side; until then, and
  without a provider that reports, by the stays of its devices.
- Reports can repeat, come late and change places; the result is the same.
- A stay that the provider has not ended counts only while a device of the user is connected to us,
  so that a lost report never makes the talked time longer.
"""

from datetime import datetime

from handlers.consulting.call.talk import Span, talked_seconds
from handlers.kit.transaction import Transaction
from storage.consulting.call import calls as store
from storage.consulting.call import provider_stays
from storage.consulting.call.calls import CallRow, Stay
from storage.consulting.call.provider_stays import ProviderStay


def talked_so_far(tx: Transaction, row: CallRow, at: datetime) -> int:
    """The seconds talked until `at`."""
    ours = store.list_stays(tx, row.id)
    theirs = [] if row.provider == "browser" else provider_stays.list_stays(tx, row.id)
    student, consultant = (
        _spans_of(user_id, ours, theirs, at) for user_id in (row.student_id, row.consultant_id)
    )
    return talked_seconds(student, consultant)


def _spans_of(
    user_id: str, ours: list[Stay], theirs: list[ProviderStay], at: datetime
) -> list[Span]:
    connected = [(one.joined_at, one.left_at or at) for one in ours if one.user_id == user_id]
    reported = [one for one in theirs if one.user_id == user_id]
    if not reported:
        return connected
    last_seen = max((end for _, end in connected), default=None)
    return [(one.joined_at, _end_of(one, last_seen, at)) for one in reported]


def _end_of(stay: ProviderStay, last_seen: datetime | None, at: datetime) -> datetime:
    return min(stay.left_at or last_seen or stay.joined_at, at)
