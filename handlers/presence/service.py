"""Decisions about presence: several devices, on several instances, are one person."""

from datetime import datetime

from handlers.kit.context import Transaction
from handlers.kit.contract import Empty
from handlers.presence.contracts import (
    PresenceWhisper,
    SetStatus,
    StatesView,
    StateView,
    StatusWhisper,
    UserOffline,
    UserOnline,
)
from handlers.profile import public as profiles
from rooms import names
from storage import presence as store
from storage.presence import PresenceRow

NAMESPACE = "/presence"


def list_known(tx: Transaction, user_ids: list[str]) -> list[str]:
    """Those of `user_ids` who exist."""
    return list(profiles.list_users(tx, user_ids))


def get_states(tx: Transaction, user_ids: list[str]) -> StatesView:
    known = profiles.list_users(tx, user_ids)
    rows = store.list_presences(tx, list(known))
    nobody = PresenceRow("", False, "active", None)
    return StatesView(states={user_id: _view(rows.get(user_id, nobody)) for user_id in known})


def set_status(tx: Transaction, ask: SetStatus) -> Empty:
    row = store.lock_presence(tx, tx.actor.id)
    if row.status != ask.status:
        row.status = ask.status
        store.update_presence(tx, row)
        whisper = StatusWhisper(tx.actor.id, ask.status)
        tx.whisper(NAMESPACE, names.presence(tx.actor.id), "status_changed", whisper)
    return Empty()


def come_online(tx: Transaction) -> None:
    """The actor's first device on this instance is there."""
    row = store.lock_presence(tx, tx.actor.id)
    store.hold_person(tx, tx.actor.id, tx.instance_id)
    if not row.online:
        row.online, row.last_seen_at = True, tx.now
        store.update_presence(tx, row)
        tx.publish(UserOnline(user_id=row.user_id, at=tx.now))
        _whisper(tx, row.user_id, "USER_ONLINE", tx.now)


def go_offline(tx: Transaction, user_id: str, instance_id: str, at: datetime) -> None:
    """An instance has no device of this person any more."""
    row = store.lock_presence(tx, user_id)
    if store.let_go(tx, user_id, instance_id) == 0 and row.online:
        row.online, row.last_seen_at = False, at
        store.update_presence(tx, row)
        tx.publish(UserOffline(user_id=user_id, at=at))
        _whisper(tx, user_id, "USER_OFFLINE", at)


def _whisper(tx: Transaction, user_id: str, name: str, at: datetime) -> None:
    tx.whisper(NAMESPACE, names.presence(user_id), name, PresenceWhisper(user_id, at))


def _view(row: PresenceRow) -> StateView:
    return StateView(online=row.online, status=row.status, last_seen_at=row.last_seen_at)
