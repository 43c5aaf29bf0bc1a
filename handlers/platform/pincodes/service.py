"""Decisions about pincodes: to send, try and spend them.

A pincode is bound to its address, its purpose, its request and, if a user is signed in, to that
user (`bound_to`). A pincode that was mailed for one purpose is useless for any other.

Invariants:
- Each request creates its own pincode, and never replaces or deletes the pincode of another
  request. The limits on mails also limit the number of valid pincodes.
- A wrong attempt counts against the pincode of the ticket that came with it, so nobody can use up
  another requester's attempts. Without a ticket, it counts against the newest pincode that the same
  requester asked for.
- An attempt without a ticket, by a client that never asked for a pincode, is compared with all
  valid pincodes. Such attempts have a limit of their own.
- All wrong attempts of untrusted clients for a mailbox share a daily limit. Beyond it, each pincode
  has a single attempt. That gives an attacker almost nothing, and the owner of the mailbox can
  still get in.
"""

import hashlib
import hmac
import secrets

from msgspec import UNSET, UnsetType

from handlers.kit import throttle
from handlers.kit.notices import MailText
from handlers.kit.rules import Rules
from handlers.kit.throttle import DAY, HOUR, Throttle, mailbox_of
from handlers.kit.transaction import Transaction
from handlers.kit.wording import ANYBODY, Code, Reader, Value
from handlers.platform.pincodes.askers import Asker
from handlers.platform.pincodes.contracts import (
    PincodeExpired,
    PincodeLocked,
    PincodeSent,
    PincodesGuessed,
    PincodeWrong,
)
from handlers.platform.pincodes.mails import PINCODE
from handlers.platform.pincodes.rules import PincodeRules
from handlers.platform.send import public as mails
from storage.platform import pincodes as store
from storage.platform.pincodes import PincodeRow

GUESSES = Throttle("pincode guesses", most=30, window=DAY)
"""Wrong attempts for a mailbox: of all untrusted clients together, or of one trusted requester."""
TRIES_OVER_BUDGET = 1
"""Attempts that each pincode has once `GUESSES` is used up."""
STRANGERS = "strangers"
"""The budget that all untrusted clients share."""


def make_ticket() -> str:
    return secrets.token_urlsafe(24)


def send_pincode(
    tx: Transaction,
    email: str,
    purpose: str,
    by: Asker,
    *,
    mail: MailText = PINCODE,
    reader: Reader = ANYBODY,
    link: str | None = None,
    bound_to: str = "",
    ticket: str | None = None,
    **values: Value,
) -> PincodeSent:
    """Email a new pincode. The text of `mail` can use `pincode`, its `life` and all `values`.

    `email` must be in its normal form. Several pincodes can share a `ticket`. Raises RateLimited.
    """
    _count_mail(tx, mailbox_of(email), by)
    ticket = ticket or make_ticket()
    pincode = f"{secrets.randbelow(1_000_000):06d}"
    request_id = tx.new_id()
    row = PincodeRow(
        id=request_id,
        email=email,
        purpose=purpose,
        asker=by.keys[0],
        trusted=by.trusted,
        ticket_hash=hash_of(ticket),
        fingerprint=tx.keys.fingerprint(purpose, request_id, email, bound_to, pincode),
        tries=0,
        expires_at=tx.now + tx.rules.span("pincode_life_s"),
    )
    store.insert_pincode(tx, row)
    values = {"pincode": Code(pincode), "life": tx.rules.span("pincode_life_s"), **values}
    used = {name: values[name] for name in mail.says}
    expires_at = row.expires_at
    tx.publish(mails.compose(tx, mail, email, reader, used, link=link, expires_at=expires_at))
    return PincodeSent(expires_in_s=tx.rules.of(PincodeRules).pincode_life_s, ticket=ticket)


def spend_pincode(
    tx: Transaction,
    email: str,
    purpose: str,
    pincode: str,
    by: Asker,
    *,
    ticket: str | UnsetType = UNSET,
    bound_to: str = "",
) -> None:
    """Check a pincode, and delete all pincodes for this address and purpose.

    Raises PincodeWrong, PincodeExpired or PincodeLocked.
    """
    try_pincode(tx, email, purpose, pincode, by, ticket=ticket, bound_to=bound_to)
    store.delete_pincodes(tx, email, purpose)


def try_pincode(
    tx: Transaction,
    email: str,
    purpose: str,
    pincode: str,
    by: Asker,
    *,
    ticket: str | UnsetType = UNSET,
    bound_to: str = "",
) -> None:
    """Check a pincode without spending it. Wrong attempts count, and too many lock the pincode.

    Raises PincodeWrong, PincodeExpired or PincodeLocked.
    """
    kept = store.lock_pincodes(tx, email, purpose)
    mine = _find_mine(kept, ticket, by)
    tried = [mine] if mine is not None else kept
    if not tried or (mine is None and ticket is not UNSET):
        raise PincodeWrong
    live = _list_live(tx, tried)
    if mine is None and not _may_try_unclaimed(tx, email, purpose):
        raise PincodeLocked
    if not any(_matches(tx, row, pincode, bound_to) for row in live):
        _count_wrong(tx, live, mine)
        raise PincodeWrong


def hash_of(ticket: str) -> str:
    """The stored hash of a ticket. A plain hash is safe, because tickets have 192 random bits."""
    return hashlib.sha256(ticket.encode("utf-8", "surrogatepass")).hexdigest()


def _find_mine(kept: list[PincodeRow], ticket: str | UnsetType, by: Asker) -> PincodeRow | None:
    """The pincode that an attempt is for: the one of the ticket; without a ticket, the newest one
    of the requester."""
    if ticket is not UNSET:
        wanted = hash_of(ticket)
        return next((row for row in kept if row.ticket_hash == wanted), None)
    return next((row for row in kept if row.asker in by.keys), None)


def _list_live(tx: Transaction, rows: list[PincodeRow]) -> list[PincodeRow]:
    """The pincodes that can still be tried; raises PincodeLocked or PincodeExpired if none can."""
    tries = {budget: _tries_in(tx, rows[0].email, budget) for budget in map(_budget_of, rows)}
    unlocked = [row for row in rows if row.tries < tries[_budget_of(row)]]
    live = [row for row in unlocked if row.expires_at > tx.now]
    if not unlocked:
        raise PincodeLocked
    if not live:
        raise PincodeExpired
    return live


def _may_try_unclaimed(tx: Transaction, email: str, purpose: str) -> bool:
    """Whether the limits allow an attempt without a ticket by a client that never asked for a
    pincode."""
    some_left = throttle.count_left(tx, _unclaimed_tries(tx.rules), email, purpose)
    return bool(some_left and throttle.count_left(tx, GUESSES, mailbox_of(email), STRANGERS))


def _matches(tx: Transaction, row: PincodeRow, pincode: str, bound_to: str) -> bool:
    tried = tx.keys.fingerprint(row.purpose, row.id, row.email, bound_to, pincode)
    return hmac.compare_digest(tried, row.fingerprint)


def _count_wrong(tx: Transaction, live: list[PincodeRow], mine: PincodeRow | None) -> None:
    """Count a wrong attempt; against `GUESSES`, once for each pincode it was compared with."""
    email, budget = live[0].email, STRANGERS
    if mine is None:
        throttle.count(tx, _unclaimed_tries(tx.rules), email, live[0].purpose)
    else:
        store.count_try(tx, mine.id)
        budget = _budget_of(mine)
    counted = throttle.count(tx, GUESSES, mailbox_of(email), budget, tries=len(live))
    tries = throttle.report(tx, counted)
    if tries:
        fingerprint = tx.keys.fingerprint("pincodes guessed", email)
        guessed = PincodesGuessed(email=email, email_fingerprint=fingerprint, tries=tries)
        tx.publish(guessed)


def _budget_of(row: PincodeRow) -> str:
    """The budget of `GUESSES` that wrong attempts at this pincode use."""
    return row.asker if row.trusted else STRANGERS


def _tries_in(tx: Transaction, email: str, budget: str) -> int:
    """How many wrong attempts lock a pincode of this budget."""
    left = throttle.count_left(tx, GUESSES, mailbox_of(email), budget)
    return tx.rules.of(PincodeRules).pincode_tries if left else TRIES_OVER_BUDGET


def _unclaimed_tries(rules: Rules) -> Throttle:
    """The limit on attempts without a ticket by clients that never asked for a pincode."""
    most = rules.of(PincodeRules).pincode_tries
    return Throttle("unclaimed pincode tries", most=most, window=HOUR)


def _count_mail(tx: Transaction, mailbox: str, by: Asker) -> None:
    """Count one more mail to this mailbox, for this requester and for all untrusted clients.

    Raises RateLimited.
    """
    an_hour = tx.rules.of(PincodeRules).pincodes_per_hour
    throttle.take(tx, Throttle("mails in an hour", an_hour, HOUR), mailbox, by.keys[0])
    throttle.take(tx, Throttle("mails in a day", an_hour * 3 // 2, DAY), mailbox, by.keys[0])
    if not by.trusted:
        throttle.take(tx, Throttle("mails for strangers", an_hour * 4, DAY), mailbox)
