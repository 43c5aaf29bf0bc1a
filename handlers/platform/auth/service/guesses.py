"""How often a password may be guessed: at the door for an account, and within a session.

At the door all strangers to an account count together, by its mailbox, whether it exists or not.
After some tries each next one waits, up to a quarter of an hour, and a day has an end to them. That
never shuts the owner out: a known device has a small budget of its own, and a pincode by mail is
another way in. Within a session only that session's tries count.
"""

from datetime import timedelta

from handlers.kit import throttle
from handlers.kit.throttle import DAY, HOUR, Throttle, mailbox_of
from handlers.kit.transaction import Transaction
from handlers.platform.auth.contracts import AuthFailure, SignInsFailed
from storage.platform.auth.known_devices import KnownDeviceRow

FIRST_WAIT = timedelta(seconds=15)
WAIT_MAX = timedelta(minutes=15)
STRANGERS = Throttle("sign-ins", most=100, window=DAY, free=10, wait=FIRST_WAIT, wait_max=WAIT_MAX)
DEVICE = Throttle("sign-ins from a known device", most=10, window=HOUR)
SESSION = Throttle(
    "passwords in a session", most=30, window=DAY, free=10, wait=FIRST_WAIT, wait_max=WAIT_MAX
)

Bound = tuple[Throttle, str]
"""What counts a try, and for whom."""


def at_the_door(tx: Transaction, email: str, device: KnownDeviceRow | None) -> Bound:
    """The bound of who signs in by `email`; a device that used up its own counts as a stranger."""
    if device is not None and throttle.count_left(tx, DEVICE, device.id):
        return DEVICE, device.id
    return STRANGERS, mailbox_of(email)


def in_session(tx: Transaction) -> Bound:
    """The bound of who gives the password of the session's person."""
    return SESSION, tx.actor.session_id


def count_wrong(tx: Transaction, bound: Bound, failure: AuthFailure) -> None:
    """Record a wrong password, and report it when it is one of many; raises RateLimited."""
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
