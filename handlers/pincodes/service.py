"""Decisions about pincodes: sent, tried, spent.

A pincode is bound to its address, its purpose, its request and, where somebody is signed in, to
them (`bound_to`): what was mailed for one thing opens no other.
"""

import hmac
import secrets
from datetime import datetime, timedelta
from typing import Any

from handlers.kit.context import Transaction
from handlers.kit.errors import RateLimited
from handlers.pincodes.contracts import PincodeExpired, PincodeLocked, PincodeSent, PincodeWrong
from handlers.send import public as mails
from storage import pincodes as store
from storage.pincodes import PincodeRow

HOUR = timedelta(hours=1)


def send_pincode(
    tx: Transaction,
    email: str,
    purpose: str,
    *,
    mail: str = "pincode",
    bound_to: str = "",
    **fields: Any,
) -> PincodeSent:
    """Mail a fresh pincode, by the template `mail`; it replaces the one before.

    `email` is in its normal form. Raises RateLimited.
    """
    before = store.open_pincode(tx, PincodeRow(email, purpose, "", "", 0, tx.now, 0, tx.now))
    sent, sent_since = _count_sent(tx, before)
    pincode = f"{secrets.randbelow(1_000_000):06d}"
    request_id = tx.new_id()
    row = PincodeRow(
        email=email,
        purpose=purpose,
        request_id=request_id,
        fingerprint=tx.keys.fingerprint(purpose, request_id, email, bound_to, pincode),
        tries=0,
        expires_at=tx.now + tx.rules.span("pincode_life_s"),
        sent=sent,
        sent_since=sent_since,
    )
    store.keep_pincode(tx, row)
    minutes = tx.rules.pincode_life_s // 60
    tx.publish(mails.compose(tx, mail, email, pincode=pincode, minutes=minutes, **fields))
    return PincodeSent(expires_in_s=tx.rules.pincode_life_s)


def spend_pincode(
    tx: Transaction, email: str, purpose: str, pincode: str, *, bound_to: str = ""
) -> None:
    """Try a pincode and use it up."""
    try_pincode(tx, email, purpose, pincode, bound_to=bound_to)
    store.delete_pincode(tx, email, purpose)


def try_pincode(
    tx: Transaction, email: str, purpose: str, pincode: str, *, bound_to: str = ""
) -> None:
    """Check a pincode and keep it; a wrong try is counted, the last one kills it."""
    kept = store.find_pincode(tx, email, purpose)
    if kept is None:
        raise PincodeWrong
    if kept.tries >= tx.rules.pincode_tries:
        raise PincodeLocked
    if kept.expires_at <= tx.now:
        raise PincodeExpired
    fingerprint = tx.keys.fingerprint(purpose, kept.request_id, email, bound_to, pincode)
    if not hmac.compare_digest(fingerprint, kept.fingerprint):
        store.count_try(tx, email, purpose)
        raise PincodeWrong


def _count_sent(tx: Transaction, before: PincodeRow) -> tuple[int, datetime]:
    """How many pincodes went to this address within the hour, this one included."""
    if tx.now - before.sent_since >= HOUR:
        return 1, tx.now
    if before.sent >= tx.rules.pincodes_per_hour:
        wait = before.sent_since + HOUR - tx.now
        raise RateLimited(retry_after_s=round(wait.total_seconds(), 3))
    return before.sent + 1, before.sent_since
