"""Decisions about known devices (OWASP: device cookies).

Every sign-in returns a token for the device. The token belongs to one user and proves only that
this user signed in on the device before. Clients keep it across sign-outs. Failed attempts from
unknown devices do not delay a known device, and signing in from it sends no notice.

The token contains the device's id and a signature, so each refresh can return the same one. The
device's row is deleted when its session is ended from another one, when a password is set, and when
all sessions are ended.
"""

import hmac

from msgspec import UNSET, UnsetType

from handlers.kit.networks import network_of
from handlers.kit.transaction import Transaction
from handlers.platform.auth.devices import name_of
from storage.platform.auth import known_devices as store
from storage.platform.auth import sessions as session_store
from storage.platform.auth.known_devices import KnownDeviceRow

DEVICES_MAX = 50
"""Devices of one user; beyond that, the least recently seen ones are deleted."""


def find_known(
    tx: Transaction, user_id: str | None, token: str | UnsetType
) -> KnownDeviceRow | None:
    """The device that `token` proves, if it belongs to this user."""
    if token is UNSET:
        return None
    device_id, _, _ = token.partition(".")
    device = store.find_device(tx, device_id)
    if device is None or device.user_id != user_id:
        return None
    return device if hmac.compare_digest(_token_of(tx, device).encode(), token.encode()) else None


def get_or_make(tx: Transaction, user_id: str, device_id: str | None) -> KnownDeviceRow:
    """The device with this id, marked as seen now; a new one if it does not exist any more."""
    known = store.find_device(tx, device_id) if device_id else None
    if known is not None:
        store.note_device_seen(tx, known.id, tx.now)
        return known
    device = KnownDeviceRow(tx.new_id(), user_id, known_since=tx.now, seen_at=tx.now)
    store.insert_device(tx, device)
    for beyond in store.list_devices_beyond(tx, user_id, DEVICES_MAX):
        store.delete_device(tx, beyond)
    return device


def is_familiar(tx: Transaction, user_id: str) -> bool:
    """Whether a device of this name recently had a session on this network. No proof."""
    after = tx.now - tx.rules.span("sessions_kept_days")
    name, network = name_of(tx.origin.device), network_of(tx.origin.address)
    return any(
        network_of(address) == network
        for address in session_store.list_addresses(tx, user_id, name, after)
    )


def token_for(tx: Transaction, user_id: str, device_id: str) -> str:
    seal = tx.keys.fingerprint("known device", user_id, device_id)
    return f"{device_id}.{seal}"


def device_and_place(tx: Transaction) -> tuple[str, str]:
    """`(device, place)` of the client, as shown to users; without a known place, its address."""
    address = tx.origin.address
    return name_of(tx.origin.device), tx.kernel.places.find(address) or address


def distrust_one(tx: Transaction, device_id: str | None) -> None:
    """Make a device unknown."""
    if device_id is not None:
        store.delete_device(tx, device_id)


def distrust_all(tx: Transaction, user_id: str, *, but: str) -> None:
    """Make all devices of this user unknown, except the one with the id `but`."""
    store.delete_devices_of(tx, user_id, but)


def _token_of(tx: Transaction, device: KnownDeviceRow) -> str:
    return token_for(tx, device.user_id, device.id)
