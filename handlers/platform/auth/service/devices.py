"""Decisions about known devices (OWASP: device cookies).

Whoever signs in gets a token for their device. It is bound to them, proves nothing but that
somebody signed in there before, and is kept by the client across sign-outs. A known device is not
slowed down by what strangers do to the account, and signing in from it is no news.

The token is signed, so that it can be said again at each refresh. The row behind it is deleted when
its session is ended from elsewhere, when a password is set, and when all sessions are ended.
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
"""Of one person; the ones seen longest ago are forgotten."""


def find_known(
    tx: Transaction, user_id: str | None, token: str | UnsetType
) -> KnownDeviceRow | None:
    """The device that `token` proves, if it is one of this person's."""
    if token is UNSET:
        return None
    device_id, _, _ = token.partition(".")
    device = store.find_device(tx, device_id)
    if device is None or device.user_id != user_id:
        return None
    return device if hmac.compare_digest(_token_of(tx, device).encode(), token.encode()) else None


def get_or_make(tx: Transaction, user_id: str, device_id: str | None) -> KnownDeviceRow:
    """The device of this id, seen now; a new one when there is none any more."""
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
    """Whether a device of this name was signed in on this network lately, though without proof."""
    after = tx.now - tx.rules.span("sessions_kept_days")
    name, network = name_of(tx.origin.device), network_of(tx.origin.address)
    return any(
        network_of(address) == network
        for address in session_store.list_addresses(tx, user_id, name, after)
    )


def token_for(tx: Transaction, user_id: str, device_id: str) -> str:
    seal = tx.keys.fingerprint("known device", user_id, device_id)
    return f"{device_id}.{seal}"


def where(tx: Transaction) -> tuple[str, str]:
    """`(device, place)` of who asks, as a person is told; an address where no place is known."""
    address = tx.origin.address
    return name_of(tx.origin.device), tx.kernel.places.find(address) or address


def distrust_one(tx: Transaction, device_id: str | None) -> None:
    """This device is known no more."""
    if device_id is not None:
        store.delete_device(tx, device_id)


def distrust_all(tx: Transaction, user_id: str, *, but: str) -> None:
    """No device of this person is known any more, except the one whose id is `but`."""
    store.delete_devices_of(tx, user_id, but)


def _token_of(tx: Transaction, device: KnownDeviceRow) -> str:
    return token_for(tx, device.user_id, device.id)
