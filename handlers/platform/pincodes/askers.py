"""Who asks for pincodes and tries them: a session, a known device, or just a network."""

import msgspec

from handlers.kit.networks import network_of
from handlers.kit.transaction import Transaction


class Asker(msgspec.Struct, frozen=True):
    """`keys` are what they can be recognised by, the most certain first.

    Who is `trusted` proved that the mailbox is theirs, and has bounds of their own; all others
    share those of strangers.
    """

    keys: tuple[str, ...]
    trusted: bool


def visitor(tx: Transaction, device_id: str | None = None) -> Asker:
    """Somebody without a session, by the id of their device if it is known for the account."""
    network = _print(tx, "network", network_of(tx.origin.address))
    if device_id is None:
        return Asker((network,), trusted=False)
    return Asker((_print(tx, "device", device_id), network), trusted=True)


def session(tx: Transaction, *, trusted: bool) -> Asker:
    """The actor's session; `trusted` where the mailbox is the actor's own."""
    return Asker((_print(tx, "session", tx.actor.session_id),), trusted)


def _print(tx: Transaction, *what: str) -> str:
    """Kept in place of an address or an id."""
    return tx.keys.fingerprint("pincode asker", *what)
