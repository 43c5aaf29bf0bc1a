"""Decisions about presence. A user is online with any device, on any instance.

A blocked user sees the blocker as never online, and receives no ephemeral events about them. After
an unblock, the next `watch` shows the real state. Other features still show that a user is online,
because both sides need them: read marks and typing in groups, waiting rooms, calls, and
`available_now`, which is public.
"""

from datetime import datetime

from handlers.kit.contract import Empty
from handlers.kit.kernel import EphemeralEvent
from handlers.kit.transaction import Transaction
from handlers.platform.blocking import public as blocking
from handlers.platform.presence.contracts import (
    PresenceEphemeral,
    SetStatus,
    StatesView,
    StateView,
    StatusEphemeral,
    UserOffline,
    UserOnline,
    presence_room,
)
from handlers.platform.profile import public as profiles
from storage.platform import presence as store
from storage.platform.presence import PresenceRow

NAMESPACE = "/presence"
RESYNC_PAGE = 500


def list_known(tx: Transaction, user_ids: list[str]) -> list[str]:
    """The ids among `user_ids` that belong to existing users."""
    return list(profiles.list_users(tx, user_ids))


def get_states(tx: Transaction, user_ids: list[str]) -> StatesView:
    known = profiles.list_users(tx, user_ids)
    shown = set(known).difference(blocking.list_blockers(tx, tx.actor.id, list(known)))
    rows = store.list_presences(tx, list(shown))
    return StatesView(states={user_id: _view(rows.get(user_id)) for user_id in known})


def set_status(tx: Transaction, ask: SetStatus) -> Empty:
    row = store.lock_presence(tx, tx.actor.id, tx.now)
    if row.status != ask.status:
        row.status = ask.status
        store.update_presence(tx, row, tx.now)
        tx.publish_ephemeral(_status(row, _blocked_by(tx, row.user_id)))
    return Empty()


def come_online(tx: Transaction) -> None:
    """Record the actor's first device on this instance; they are online now."""
    row = store.lock_presence(tx, tx.actor.id, tx.now)
    store.insert_holding(tx, tx.actor.id, tx.instance_id)
    if not row.online:
        row.online, row.last_seen_at = True, tx.now
        store.update_presence(tx, row, tx.now)
        tx.publish(UserOnline(user_id=row.user_id, at=tx.now))
        blocked = _blocked_by(tx, row.user_id)
        tx.publish_ephemeral(_presence(row.user_id, "USER_ONLINE", tx.now, blocked))


def go_offline(tx: Transaction, user_id: str, instance_id: str, at: datetime) -> None:
    """Record that an instance has no more devices of this user, as of `at`."""
    row = store.lock_presence(tx, user_id, tx.now)
    if store.delete_holding(tx, user_id, instance_id) == 0 and row.online:
        row.online, row.last_seen_at = False, at
        store.update_presence(tx, row, tx.now)
        tx.publish(UserOffline(user_id=user_id, at=at))
        tx.publish_ephemeral(_presence(user_id, "USER_OFFLINE", at, _blocked_by(tx, user_id)))


def resync(tx: Transaction, since: datetime, after: str) -> tuple[list[EphemeralEvent], str]:
    """The current state of a page of users whose presence or status changed since then.

    Also returns the user id after which the next page begins; "" at the end.
    """
    rows = store.list_changed(tx, since, after, RESYNC_PAGE)
    blocked_by = blocking.list_blocked_by(tx, [row.user_id for row in rows])
    events = []
    for row in rows:
        blocked = blocked_by[row.user_id]
        if row.last_seen_at is not None:
            name = "USER_ONLINE" if row.online else "USER_OFFLINE"
            events.append(_presence(row.user_id, name, row.last_seen_at, blocked))
        events.append(_status(row, blocked))
    return events, rows[-1].user_id if len(rows) == RESYNC_PAGE else ""


def _blocked_by(tx: Transaction, user_id: str) -> frozenset[str]:
    return blocking.list_blocked_by(tx, [user_id])[user_id]


def _presence(user_id: str, name: str, at: datetime, blocked: frozenset[str]) -> EphemeralEvent:
    room, data = presence_room(user_id), PresenceEphemeral(user_id, at)
    return EphemeralEvent(NAMESPACE, room, name, data, hidden_from=blocked)


def _status(row: PresenceRow, blocked: frozenset[str]) -> EphemeralEvent:
    room, data = presence_room(row.user_id), StatusEphemeral(row.user_id, row.status)
    return EphemeralEvent(NAMESPACE, room, "status_changed", data, hidden_from=blocked)


def _view(row: PresenceRow | None) -> StateView:
    if row is None:  # the user was never online, or blocked the actor
        return StateView(online=False, status="active", last_seen_at=None)
    return StateView(online=row.online, status=row.status, last_seen_at=row.last_seen_at)
