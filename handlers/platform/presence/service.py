"""Decisions about presence. A user is online with any device, on any instance.

Invariants:
- Others see an invisible user like one who went offline when they became invisible. Devices that
  connect and leave meanwhile, and a status that is set, change nothing that others see.
- A blocked user sees the blocker as never online, and receives no ephemeral events about them.
  After an unblock, the next `watch` shows the real state.
- What a user does on purpose still shows that they are there: messages, read marks, reactions,
  waiting rooms and calls.
"""

from datetime import datetime

from handlers.kit.contract import Empty
from handlers.kit.kernel import EphemeralEvent
from handlers.kit.transaction import Transaction
from handlers.platform.blocking import public as blocking
from handlers.platform.presence.contracts import (
    HiddenStatusSet,
    OwnPresenceStateView,
    OwnPresenceView,
    PresenceEphemeral,
    SetInvisible,
    SetStatus,
    StatesView,
    StateView,
    Status,
    StatusEphemeral,
    UserOffline,
    UserOnline,
    VisibilityChanged,
    presence_room,
)
from handlers.platform.profile import public as profiles
from rooms import names
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


def get_own(tx: Transaction) -> OwnPresenceStateView:
    row = store.list_presences(tx, [tx.actor.id]).get(tx.actor.id)
    return OwnPresenceStateView(
        status=row.status if row else "active",
        invisible=row is not None and row.invisible,
        seq=tx.head(NAMESPACE, names.user(tx.actor.id)),
    )


def set_status(tx: Transaction, ask: SetStatus) -> Empty:
    row = store.lock_presence(tx, tx.actor.id, tx.now)
    if row.status == ask.status:
        return Empty()
    row.status = ask.status
    if row.invisible:
        _keep_unseen(tx, row)
        tx.publish(HiddenStatusSet(user_id=row.user_id, status=row.status, invisible=True))
    else:
        store.update_presence(tx, row, tx.now)
        tx.publish_ephemeral(_status(row, _blocked_by(tx, row.user_id)))
    return Empty()


def set_invisible(tx: Transaction, ask: SetInvisible) -> OwnPresenceView:
    """Make the actor invisible, or visible again; a repetition changes nothing."""
    row = store.lock_presence(tx, tx.actor.id, tx.now)
    if row.invisible != ask.on:
        before = _seen_status(row)
        row.invisible, row.shown_status = ask.on, row.status if ask.on else None
        if row.online:
            row.last_seen_at = tx.now
        store.update_presence(tx, row, tx.now)
        tx.publish(VisibilityChanged(user_id=row.user_id, status=row.status, invisible=ask.on))
        _publish_change(tx, row, before)
    return OwnPresenceView(status=row.status, invisible=row.invisible)


def come_online(tx: Transaction) -> None:
    """Record the actor's first device on this instance; they are online now."""
    row = store.lock_presence(tx, tx.actor.id, tx.now)
    store.insert_holding(tx, tx.actor.id, tx.instance_id)
    if not row.online:
        row.online = True
        tx.publish(UserOnline(user_id=row.user_id, at=tx.now))
        _keep(tx, row, tx.now)


def go_offline(tx: Transaction, user_id: str, instance_id: str, at: datetime) -> None:
    """Record that an instance has no more devices of this user, as of `at`."""
    row = store.lock_presence(tx, user_id, tx.now)
    if store.delete_holding(tx, user_id, instance_id) == 0 and row.online:
        row.online = False
        tx.publish(UserOffline(user_id=user_id, at=at))
        _keep(tx, row, at)


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
            events.append(_presence(row, row.last_seen_at, blocked))
        events.append(_status(row, blocked))
    return events, rows[-1].user_id if len(rows) == RESYNC_PAGE else ""


def _keep(tx: Transaction, row: PresenceRow, at: datetime) -> None:
    """Store that a user came or went at `at`; watchers see it, unless the user is invisible."""
    if row.invisible:
        _keep_unseen(tx, row)
        return
    row.last_seen_at = at
    store.update_presence(tx, row, tx.now)
    tx.publish_ephemeral(_presence(row, at, _blocked_by(tx, row.user_id)))


def _keep_unseen(tx: Transaction, row: PresenceRow) -> None:
    """Store a change that others do not see, so that no resync tells of it."""
    store.update_presence(tx, row, row.changed_at)


def _publish_change(tx: Transaction, row: PresenceRow, status_before: Status) -> None:
    """Tell watchers that a user seems to have come or gone, and of a status that was hidden."""
    blocked = _blocked_by(tx, row.user_id)
    if row.online:
        tx.publish_ephemeral(_presence(row, tx.now, blocked))
    if _seen_status(row) != status_before:
        tx.publish_ephemeral(_status(row, blocked))


def _blocked_by(tx: Transaction, user_id: str) -> frozenset[str]:
    return blocking.list_blocked_by(tx, [user_id])[user_id]


def _presence(row: PresenceRow, at: datetime, blocked: frozenset[str]) -> EphemeralEvent:
    name = "USER_ONLINE" if _seems_online(row) else "USER_OFFLINE"
    room, data = presence_room(row.user_id), PresenceEphemeral(row.user_id, at)
    return EphemeralEvent(NAMESPACE, room, name, data, hidden_from=blocked)


def _status(row: PresenceRow, blocked: frozenset[str]) -> EphemeralEvent:
    room, data = presence_room(row.user_id), StatusEphemeral(row.user_id, _seen_status(row))
    return EphemeralEvent(NAMESPACE, room, "status_changed", data, hidden_from=blocked)


def _view(row: PresenceRow | None) -> StateView:
    if row is None:  # the user was never online, or blocked the actor
        return StateView(online=False, status="active", last_seen_at=None)
    return StateView(
        online=_seems_online(row), status=_seen_status(row), last_seen_at=row.last_seen_at
    )


def _seems_online(row: PresenceRow) -> bool:
    return row.online and not row.invisible


def _seen_status(row: PresenceRow) -> Status:
    return row.shown_status or row.status
