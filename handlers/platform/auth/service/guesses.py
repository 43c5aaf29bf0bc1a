"""Limits on wrong passwords, at sign-in and within a session.

At sign-in, attempts from unknown devices share one limit for each mailbox, whether it has an
account or not. After ten attempts a delay precedes each further one, up to 15 minutes, and a day
allows 100 attempts. This never locks the owner out: each known device has a small limit of its own,
and the owner can set a new password with a pincode by mail. The owner sees the attempts in the list
of their sessions, and can forgive them there. Within a session, only its own attempts count.
"""

from datetime import timedelta

from handlers.kit import throttle
from handlers.kit.contract import Empty
from handlers.kit.throttle import DAY, HOUR, Throttle, mailbox_of
from handlers.kit.transaction import Transaction
from handlers.platform.auth.contracts import AuthFailure, GuessesView, SignInsFailed
from handlers.platform.profile import public as profiles
from storage.platform.auth.known_devices import KnownDeviceRow

FIRST_WAIT = timedelta(seconds=15)
WAIT_MAX = timedelta(minutes=15)
STRANGERS = Throttle("sign-ins", most=100, window=DAY, free=10, wait=FIRST_WAIT, wait_max=WAIT_MAX)
DEVICE = Throttle("sign-ins from a known device", most=10, window=HOUR)
SESSION = Throttle(
    "passwords in a session", most=30, window=DAY, free=10, wait=FIRST_WAIT, wait_max=WAIT_MAX
)
FORGIVEN = Throttle("forgiven sign-ins", most=3, window=DAY)
"""How often a mailbox's wrong passwords can be forgiven: each time allows ten more guesses."""

Bound = tuple[Throttle, str]
"""The throttle that counts an attempt, and its subject."""


def limit_for_sign_in(tx: Transaction, email: str, device: KnownDeviceRow | None) -> Bound:
    """The limit for a sign-in by `email`.

    A known device that has used up its own limit counts as an unknown one.
    """
    if device is not None and throttle.count_left(tx, DEVICE, device.id):
        return DEVICE, device.id
    return STRANGERS, mailbox_of(email)


def limit_for_session(tx: Transaction) -> Bound:
    """The limit for passwords given within the actor's session."""
    return SESSION, tx.actor.session_id


def find_guesses(tx: Transaction) -> GuessesView | None:
    """The wrong passwords that slow down unknown devices of the actor; None if none do."""
    row = throttle.find_current(tx, STRANGERS, _own_mailbox(tx))
    if row is None or row.tries < STRANGERS.free:
        return None
    free_at = row.ends_at if row.tries >= STRANGERS.most else row.free_at
    return GuessesView(tries=row.tries, free_at=free_at, ends_at=row.ends_at)


def forgive(tx: Transaction) -> Empty:
    """Stop counting the wrong passwords for the actor's mailbox; raises RateLimited."""
    mailbox = _own_mailbox(tx)
    throttle.take(tx, FORGIVEN, mailbox)
    throttle.forgive(tx, STRANGERS, mailbox)
    return Empty()


def _own_mailbox(tx: Transaction) -> str:
    return mailbox_of(profiles.get_user(tx, tx.actor.id).email)


def count_wrong(tx: Transaction, bound: Bound, failure: AuthFailure) -> None:
    """Count a wrong password, and publish a warning after many of them; raises RateLimited."""
    taken = throttle.take(tx, *bound)
    tx.publish(failure)
    tries = throttle.report(tx, taken)
    if tries:
        tx.publish(
            SignInsFailed(
                email_fingerprint=failure.email_fingerprint,
                user_id=failure.user_id,
                tries=tries,
                signed_in=bound[0] is SESSION,
            )
        )
