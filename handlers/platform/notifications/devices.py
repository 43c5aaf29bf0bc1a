"""Decisions about the apps that can be reached by pushes.

A token names one app on one device: whoever registers it last is who is signed in there. It is
kept sealed, and goes with its session.
"""

from handlers.kit.contract import Empty
from handlers.kit.transaction import Transaction
from handlers.platform.auth import public as accounts
from handlers.platform.notifications.contracts import RegisterDevice
from storage.platform.notifications import push_devices as store
from storage.platform.notifications.push_devices import PushDeviceRow

DEVICES_MAX = 20
"""Of one person; the oldest go."""


def register(tx: Transaction, ask: RegisterDevice) -> Empty:
    """Reach the device that asks by pushes; raises SessionRevoked."""
    accounts.hold_session(tx)
    row = PushDeviceRow(
        token_hash=tx.keys.fingerprint("push token", ask.token),
        user_id=tx.actor.id,
        session_id=tx.actor.session_id,
        platform=ask.platform,
        sealed_token=tx.keys.seal(ask.token),
        registered_at=tx.now,
    )
    store.keep_device(tx, row)
    for token_hash in store.list_beyond(tx, tx.actor.id, DEVICES_MAX):
        store.delete_device(tx, token_hash, tx.actor.id)
    return Empty()


def unregister(tx: Transaction, token: str) -> Empty:
    """One that is not registered is as good."""
    store.delete_device(tx, tx.keys.fingerprint("push token", token), tx.actor.id)
    return Empty()


def forget_session(tx: Transaction, session_id: str) -> None:
    store.delete_of_session(tx, session_id)
