"""The status "available now": off during calls, while nobody seems to be there, and after silence.

Invariants:
- The consultant is locked before the status is read, so that changes do not mix.
- While a call or an absence pauses the status, `resumes` says whether it comes back afterwards,
  which the consultant chooses for calls (`back_after_call`) and for absences (`back_when_online`).
- Being invisible is an absence: the status would show that the consultant is there.
"""

from msgspec import UNSET

from handlers.consulting.availability.contracts.blocks import (
    AvailableNowLapsed,
    AvailableNowStatusChanged,
    AvailableNowView,
    OwnAvailableNowView,
    SetAvailableNow,
    WatchedNowView,
)
from handlers.consulting.consultants import public as consultants
from handlers.consulting.consultants.contracts import consultant_room
from handlers.kit.errors import Forbidden, NotFound
from handlers.kit.transaction import Transaction
from handlers.platform.blocking import public as blocking
from handlers.platform.presence import public as presences
from storage.consulting.availability import schedules as store
from storage.consulting.availability.schedules import NowRow

NAMESPACE = "/availability"


def set_available_now(tx: Transaction, ask: SetAvailableNow) -> AvailableNowView:
    """Set the status; during a call or while invisible, only the status afterwards."""
    if not consultants.lock_consultant(tx, tx.actor.id):
        raise Forbidden
    row = get_row(tx, tx.actor.id)
    if ask.back_after_call is not UNSET:
        row.back_after_call = ask.back_after_call
    if ask.back_when_online is not UNSET:
        row.back_when_online = ask.back_when_online
    row.away = presences.is_invisible(tx, tx.actor.id)
    paused = row.call_id is not None or row.away
    row.resumes = paused and ask.available
    _change(tx, row, ask.available and not paused)
    return AvailableNowView(available=row.available)


def get_available_now(tx: Transaction) -> OwnAvailableNowView:
    row = get_row(tx, tx.actor.id)
    return OwnAvailableNowView(
        available=row.available,
        back_after_call=row.back_after_call,
        back_when_online=row.back_when_online,
    )


def pause_for_call(tx: Transaction, user_id: str, call_id: str) -> None:
    """Turn the status off for a call of the user, in either role, if they are a consultant."""
    if not consultants.exists(tx, user_id):
        return
    consultants.lock_consultant(tx, user_id)
    row = get_row(tx, user_id)
    row.call_id = call_id
    row.resumes = row.back_after_call and (row.available or row.resumes)
    _change(tx, row, False)


def resume_after_call(tx: Transaction, user_id: str, call_id: str) -> None:
    if not consultants.exists(tx, user_id):
        return
    active = consultants.lock_consultant(tx, user_id)
    row = get_row(tx, user_id)
    if row.call_id == call_id:
        row.call_id = None
        _resume(tx, row, active=active)


def go_away(tx: Transaction, user_id: str) -> None:
    """Turn the status off after the consultant's last device left, unless one came back."""
    if store.find_now(tx, user_id) is None:
        return
    consultants.lock_consultant(tx, user_id)
    if not presences.is_seen_online(tx, user_id):
        row = get_row(tx, user_id)
        row.away = True
        row.resumes = row.back_when_online and (row.available or row.resumes)
        _change(tx, row, False)


def hide(tx: Transaction, user_id: str) -> None:
    """Turn the status off of a consultant who is invisible, unless it is paused already."""
    if store.find_now(tx, user_id) is None:
        return
    consultants.lock_consultant(tx, user_id)
    if not get_row(tx, user_id).away:
        go_away(tx, user_id)


def come_back(tx: Transaction, user_id: str) -> None:
    """Restore the status of a consultant who is seen online again, if they wished so."""
    if store.find_now(tx, user_id) is None:
        return
    active = consultants.lock_consultant(tx, user_id)
    row = get_row(tx, user_id)
    if row.away and presences.is_seen_online(tx, user_id):
        row.away = False
        _resume(tx, row, active=active)


def lapse(tx: Transaction, consultant_id: str) -> None:
    """Turn the status off after an unanswered request, unless the consultant is in a call."""
    consultants.lock_consultant(tx, consultant_id)
    row = get_row(tx, consultant_id)
    if row.call_id is not None:
        return
    if row.available or row.resumes:
        tx.publish(AvailableNowLapsed(consultant_id=consultant_id))
    row.resumes = False
    _change(tx, row, False)


def withdraw(tx: Transaction, consultant_id: str) -> None:
    """Make a consultant who stopped unavailable; the consultant must be locked."""
    row = get_row(tx, consultant_id)
    row.resumes = False
    _change(tx, row, False)


def get_watched(tx: Transaction, consultant_id: str) -> WatchedNowView:
    """Raises NotFound, also if the consultant has blocked the actor."""
    if blocking.has_blocked_actor(tx, consultant_id) or not consultants.exists(tx, consultant_id):
        raise NotFound
    return WatchedNowView(
        available_now=get_row(tx, consultant_id).available,
        seq=tx.head(NAMESPACE, consultant_room(consultant_id)),
    )


def get_row(tx: Transaction, consultant_id: str) -> NowRow:
    return store.find_now(tx, consultant_id) or NowRow(consultant_id)


def _resume(tx: Transaction, row: NowRow, *, active: bool) -> None:
    """Restore the status, unless something else pauses it still."""
    if row.call_id is None and not row.away:
        available, row.resumes = row.resumes or row.available, False
        _change(tx, row, available and active)
    else:
        store.keep_now(tx, row)


def _change(tx: Transaction, row: NowRow, available: bool) -> None:
    changed, row.available = row.available != available, available
    store.keep_now(tx, row)
    if changed:
        changed_now = AvailableNowStatusChanged(
            consultant_id=row.consultant_id, available=available
        )
        tx.publish(changed_now)
    consultants.show_available_now(tx, row.consultant_id, available)
