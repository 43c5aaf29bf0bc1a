"""Identifies requesters of pincodes: by their session, a known device, or only their network."""

import msgspec

from handlers.kit.networks import network_of
from handlers.kit.transaction import Transaction


class Asker(msgspec.Struct, frozen=True):
    """A client that requests or tries pincodes; `keys` identify it, the most reliable one first.

    A `trusted` client has proved that the mailbox is its own, and has limits of its own. All others
    share one set of limits.
    """

    keys: tuple[str, ...]
    trusted: bool


def visitor(tx: Transaction, device_id: str | None = None) -> Asker:
    """A client without a session. `device_id` is its device, if that is known for the account."""
    network = _fingerprint(tx, "network", network_of(tx.origin.address))
    if device_id is None:
        return Asker((network,), trusted=False)
    return Asker((_fingerprint(tx, "device", device_id), network), trusted=True)


def session(tx: Transaction, *, trusted: bool) -> Asker:
    """The actor's session; `trusted` if the mailbox is the actor's own."""
    return Asker((_fingerprint(tx, "session", tx.actor.session_id),), trusted)


def _fingerprint(tx: Transaction, *what: str) -> str:
    """A keyed hash that is stored instead of an address or an id."""
    return tx.keys.fingerprint("pincode asker", *what)
