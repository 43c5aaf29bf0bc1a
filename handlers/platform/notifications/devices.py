"""Decisions about the apps that receive push notifications.

A push token identifies one app on one device and belongs to the user who registered it last. It is
stored encrypted, and deleted when its session ends.
"""

from handlers.kit.contract import Empty
from handlers.kit.transaction import Transaction
from handlers.platform.auth import public as accounts
from handlers.platform.notifications.contracts import RegisterDevice
from storage.platform.notifications import push_devices as store
from storage.platform.notifications.push_devices import PushDeviceRow

DEVICES_MAX = 20
"""Per user; a new device replaces the oldest one."""


def register(tx: Transaction, ask: RegisterDevice) -> Empty:
    """Register the app of the actor's session for push notifications; raises SessionRevoked."""
    accounts.hold_session(tx)
    row = PushDeviceRow(
        token_hash=tx.keys.fingerprint("push token", ask.token),
        user_id=tx.actor.id,
        session_id=tx.actor.session_id,
        platform=ask.platform,
        sealed_token=tx.keys.seal(ask.token),
        registered_at=tx.now,
    )
    store.upsert_device(tx, row)
    for token_hash in store.list_beyond(tx, tx.actor.id, DEVICES_MAX):
        store.delete_device(tx, token_hash, tx.actor.id)
    return Empty()


def unregister(tx: Transaction, token: str) -> Empty:
    """Delete the actor's registration of `token`, if there is one."""
    store.delete_device(tx, tx.keys.fingerprint("push token", token), tx.actor.id)
    return Empty()


def forget_session(tx: Transaction, session_id: str) -> None:
    store.delete_of_session(tx, session_id)
