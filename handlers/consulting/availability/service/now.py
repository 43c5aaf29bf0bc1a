"""The status "available now": off during a call, and restored after it if the consultant wants."""

from msgspec import UNSET

from handlers.consulting.availability.contracts.blocks import (
    AvailableNowStatusChanged,
    AvailableNowView,
    SetAvailableNow,
    WatchedNowView,
)
from handlers.consulting.consultants import public as consultants
from handlers.consulting.consultants.contracts import consultant_room
from handlers.kit.errors import Forbidden, NotFound
from handlers.kit.transaction import Transaction
from storage.consulting.availability import schedules as store
from storage.consulting.availability.schedules import NowRow

NAMESPACE = "/availability"


def set_available_now(tx: Transaction, ask: SetAvailableNow) -> AvailableNowView:
    """Set the status; during a call, only the status after the call."""
    if not consultants.lock_consultant(tx, tx.actor.id):
        raise Forbidden
    row = get_row(tx, tx.actor.id)
    if ask.back_after_call is not UNSET:
        row.back_after_call = ask.back_after_call
    if row.call_id is not None:
        row.resumes = ask.available
        store.keep_now(tx, row)
    else:
        _change(tx, row, ask.available)
    return AvailableNowView(available=row.available)


def pause_for_call(tx: Transaction, consultant_id: str, call_id: str) -> None:
    consultants.lock_consultant(tx, consultant_id)
    row = get_row(tx, consultant_id)
    follows = row.call_id is not None and row.resumes
    row.call_id = call_id
    row.resumes = row.back_after_call and (row.available or follows)
    _change(tx, row, False)


def resume_after_call(tx: Transaction, consultant_id: str, call_id: str) -> None:
    active = consultants.lock_consultant(tx, consultant_id)
    row = get_row(tx, consultant_id)
    if row.call_id != call_id:
        return
    row.call_id = None
    available, row.resumes = row.resumes or row.available, False
    _change(tx, row, available and active)


def withdraw(tx: Transaction, consultant_id: str) -> None:
    """Make a consultant who stopped unavailable; the consultant must be locked."""
    row = get_row(tx, consultant_id)
    row.resumes = False
    _change(tx, row, False)


def get_watched(tx: Transaction, consultant_id: str) -> WatchedNowView:
    if not consultants.exists(tx, consultant_id):
        raise NotFound
    return WatchedNowView(
        available_now=get_row(tx, consultant_id).available,
        seq=tx.head(NAMESPACE, consultant_room(consultant_id)),
    )


def get_row(tx: Transaction, consultant_id: str) -> NowRow:
    return store.find_now(tx, consultant_id) or NowRow(consultant_id, False, True, None, False)


def _change(tx: Transaction, row: NowRow, available: bool) -> None:
    changed, row.available = row.available != available, available
    store.keep_now(tx, row)
    if changed:
        changed_now = AvailableNowStatusChanged(
            consultant_id=row.consultant_id, available=available
        )
        tx.publish(changed_now)
    consultants.show_available_now(tx, row.consultant_id, available)
