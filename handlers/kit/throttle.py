"""How often something may be tried, counted in the database: it holds on all instances together.

Tries are counted under the lock of their row, one by one. What is refused counts nothing, so that
refusing costs a read. A row knows its key only as a keyed hash: an address that has an account and
one that has none leave the same rows.
"""

from datetime import datetime, timedelta

import msgspec

from handlers.kit.errors import RateLimited
from handlers.kit.transaction import Transaction
from storage.events import throttles as store
from storage.events.throttles import ThrottleRow, forget_throttles

__all__ = [
    "DAY",
    "HOUR",
    "Throttle",
    "check",
    "count",
    "count_left",
    "forget_throttles",
    "hold",
    "mailbox_of",
    "report",
    "take",
    "take_if_left",
]

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
DOTLESS = ("gmail.com", "googlemail.com")
"""Hosts where a mailbox is the same with and without dots."""


class Throttle(msgspec.Struct, frozen=True):
    """At most `most` tries in a `window`; each from the `free`th on makes the next one wait.

    The first wait is `wait`, each further one twice as long, up to `wait_max`.
    """

    name: str
    most: int
    window: timedelta
    free: int = 1_000_000
    wait: timedelta = timedelta(0)
    wait_max: timedelta = timedelta(0)

    def wait_after(self, tries: int) -> timedelta:
        """How long after so many tries the next one has to wait."""
        if tries < self.free:
            return timedelta(0)
        doublings = min(tries - self.free, 32)
        return min(self.wait * (1 << doublings), self.wait_max)


class Taken(msgspec.Struct, frozen=True):
    """A try that was counted."""

    throttle: Throttle
    key: str


def check(tx: Transaction, throttle: Throttle, *subject: str) -> None:
    """Raises RateLimited when the next try of `subject` has to wait; changes nothing."""
    _refuse_early(tx, throttle, store.find_throttle(tx, _key(tx, throttle, *subject)))


def hold(tx: Transaction, throttle: Throttle, *subject: str) -> None:
    """The same, after all tries that are being counted just now."""
    _refuse_early(tx, throttle, store.hold_throttle(tx, _key(tx, throttle, *subject)))


def take(tx: Transaction, throttle: Throttle, *subject: str) -> Taken:
    """Count one try of `subject`; raises RateLimited when it has to wait."""
    row = _lock(tx, throttle, *subject)
    _refuse_early(tx, throttle, row)
    row.tries += 1
    wait = throttle.wait_after(row.tries)
    if wait:  # else who began a moment earlier, and came to the lock later, would have to wait
        row.free_at = tx.now + wait
    store.update_throttle(tx, row)
    return Taken(throttle, row.key)


def take_if_left(tx: Transaction, throttle: Throttle, *subject: str) -> bool:
    """Count one try of `subject`, unless it would have to wait; whether it was counted."""
    try:
        take(tx, throttle, *subject)
    except RateLimited:
        return False
    return True


def report(tx: Transaction, taken: Taken) -> int:
    """How many tries somebody should now be told of; 0 until it is enough, and once a window."""
    row = store.lock_throttle(tx, taken.key, tx.now)
    if row.reported or row.tries < min(taken.throttle.free, taken.throttle.most):
        return 0
    row.reported = True
    store.update_throttle(tx, row)
    return row.tries


def count_left(tx: Transaction, throttle: Throttle, *subject: str) -> int:
    """How many tries are left in this window, as far as they are committed."""
    row = store.find_throttle(tx, _key(tx, throttle, *subject))
    if row is None or row.ends_at <= tx.now:
        return throttle.most
    return max(0, throttle.most - row.tries)


def count(tx: Transaction, throttle: Throttle, *subject: str, tries: int = 1) -> Taken:
    """Count tries that were made, beyond the bound too."""
    row = _lock(tx, throttle, *subject)
    row.tries += tries
    store.update_throttle(tx, row)
    return Taken(throttle, row.key)


def mailbox_of(email: str) -> str:
    """What all spellings of one mailbox have in common (`ana+x@` is `ana@`), for counting only.

    No account is looked up by it: at some hosts these are different mailboxes.
    """
    local, _, host = email.strip().lower().rpartition("@")
    local = local.partition("+")[0] or local
    if host in DOTLESS:
        local, host = local.replace(".", "") or local, DOTLESS[0]
    return f"{local}@{host}"


def seconds_until(now: datetime, moment: datetime) -> float:
    """As `retry_after_s` says it."""
    return round((moment - now).total_seconds(), 3)


def _refuse_early(tx: Transaction, throttle: Throttle, row: ThrottleRow | None) -> None:
    if row is None or row.ends_at <= tx.now:
        return
    ready_at = row.ends_at if row.tries >= throttle.most else row.free_at
    if ready_at > tx.now:
        raise RateLimited(retry_after_s=seconds_until(tx.now, ready_at))


def _lock(tx: Transaction, throttle: Throttle, *subject: str) -> ThrottleRow:
    """The row with the window that is open now, held until the commit."""
    key = _key(tx, throttle, *subject)
    row = store.lock_throttle(tx, key, tx.now)
    if row.ends_at <= tx.now:
        row = ThrottleRow(key, 0, tx.now, tx.now + throttle.window, False)
    return row


def _key(tx: Transaction, throttle: Throttle, *subject: str) -> str:
    return tx.keys.fingerprint("throttle", throttle.name, *subject)
