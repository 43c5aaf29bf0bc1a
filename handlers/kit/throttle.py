"""Limits on attempts, counted in the database, so that they hold across all instances.

Attempts are counted one by one, under the lock of their row. A refused attempt is not counted, so
refusing costs only a read. A row stores its key only as a keyed hash: an address with an account
and one without leave the same kind of row.
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
    "find_current",
    "forget_throttles",
    "forgive",
    "hold",
    "mailbox_of",
    "report",
    "take",
    "take_if_left",
]

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
DOTLESS = ("gmail.com", "googlemail.com")
"""Hosts that ignore dots in the name of a mailbox."""


class Throttle(msgspec.Struct, frozen=True):
    """At most `most` attempts in a `window`; from the `free`th on, each delays the next one.

    The first delay is `wait`; each further delay is twice as long, up to `wait_max`.
    """

    name: str
    most: int
    window: timedelta
    free: int = 1_000_000
    wait: timedelta = timedelta(0)
    wait_max: timedelta = timedelta(0)

    def wait_after(self, tries: int) -> timedelta:
        """The delay before the next attempt, after `tries` attempts."""
        if tries < self.free:
            return timedelta(0)
        doublings = min(tries - self.free, 32)
        return min(self.wait * (1 << doublings), self.wait_max)


class Taken(msgspec.Struct, frozen=True):
    """An attempt that was counted."""

    throttle: Throttle
    key: str


def check(tx: Transaction, throttle: Throttle, *subject: str) -> None:
    """Raises RateLimited when `subject` has to wait before the next attempt; changes nothing."""
    _refuse_early(tx, throttle, store.find_throttle(tx, _key(tx, throttle, *subject)))


def hold(tx: Transaction, throttle: Throttle, *subject: str) -> None:
    """Like `check`, but waits first for concurrent transactions that count attempts of
    `subject`."""
    _refuse_early(tx, throttle, store.hold_throttle(tx, _key(tx, throttle, *subject)))


def take(tx: Transaction, throttle: Throttle, *subject: str) -> Taken:
    """Count one attempt of `subject`; raises RateLimited when it has to wait."""
    row = _lock(tx, throttle, *subject)
    _refuse_early(tx, throttle, row)
    row.tries += 1
    wait = throttle.wait_after(row.tries)
    if wait:  # otherwise a concurrent attempt that started earlier would be refused
        row.free_at = tx.now + wait
    store.update_throttle(tx, row)
    return Taken(throttle, row.key)


def take_if_left(tx: Transaction, throttle: Throttle, *subject: str) -> bool:
    """Count one attempt of `subject` unless it would have to wait; returns whether it counted."""
    try:
        take(tx, throttle, *subject)
    except RateLimited:
        return False
    return True


def report(tx: Transaction, taken: Taken) -> int:
    """The number of attempts to report to the owner: 0 below the limit, and nonzero once a
    window."""
    row = store.lock_throttle(tx, taken.key, tx.now)
    if row.reported or row.tries < min(taken.throttle.free, taken.throttle.most):
        return 0
    row.reported = True
    store.update_throttle(tx, row)
    return row.tries


def find_current(tx: Transaction, throttle: Throttle, *subject: str) -> ThrottleRow | None:
    """The committed attempts of the current window, if any."""
    row = store.find_throttle(tx, _key(tx, throttle, *subject))
    return row if row is not None and row.ends_at > tx.now else None


def forgive(tx: Transaction, throttle: Throttle, *subject: str) -> None:
    """End the current window: its attempts no longer count, and no delay remains."""
    row = store.lock_throttle(tx, _key(tx, throttle, *subject), tx.now)
    store.update_throttle(tx, ThrottleRow(row.key, 0, tx.now, tx.now, False))


def count_left(tx: Transaction, throttle: Throttle, *subject: str) -> int:
    """How many attempts are left in this window, according to committed rows."""
    row = find_current(tx, throttle, *subject)
    return throttle.most if row is None else max(0, throttle.most - row.tries)


def count(tx: Transaction, throttle: Throttle, *subject: str, tries: int = 1) -> Taken:
    """Count attempts that already happened, even beyond the limit."""
    row = _lock(tx, throttle, *subject)
    row.tries += tries
    store.update_throttle(tx, row)
    return Taken(throttle, row.key)


def mailbox_of(email: str) -> str:
    """The common form of all spellings of one mailbox (`ana+x@` is `ana@`), only for counting.

    Accounts are never looked up by it: at some hosts these are different mailboxes.
    """
    local, _, host = email.strip().lower().rpartition("@")
    local = local.partition("+")[0] or local
    if host in DOTLESS:
        local, host = local.replace(".", "") or local, DOTLESS[0]
    return f"{local}@{host}"


def seconds_until(now: datetime, moment: datetime) -> float:
    """The seconds from `now` to `moment`, rounded for `retry_after_s`."""
    return round((moment - now).total_seconds(), 3)


def _refuse_early(tx: Transaction, throttle: Throttle, row: ThrottleRow | None) -> None:
    if row is None or row.ends_at <= tx.now:
        return
    ready_at = row.ends_at if row.tries >= throttle.most else row.free_at
    if ready_at > tx.now:
        raise RateLimited(retry_after_s=seconds_until(tx.now, ready_at))


def _lock(tx: Transaction, throttle: Throttle, *subject: str) -> ThrottleRow:
    """The row of the current window, locked until the commit."""
    key = _key(tx, throttle, *subject)
    row = store.lock_throttle(tx, key, tx.now)
    if row.ends_at <= tx.now:
        row = ThrottleRow(key, 0, tx.now, tx.now + throttle.window, False)
    return row


def _key(tx: Transaction, throttle: Throttle, *subject: str) -> str:
    return tx.keys.fingerprint("throttle", throttle.name, *subject)
