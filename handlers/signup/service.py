"""Decisions about pincodes and new users."""

import hmac
import secrets
from datetime import datetime, timedelta

from handlers.auth import public as accounts
from handlers.auth.contracts import SessionView
from handlers.kit.context import Transaction
from handlers.kit.errors import RateLimited
from handlers.profile import public as profiles
from handlers.send import public as mails
from handlers.signup.contracts import (
    CompleteSignup,
    EmailTaken,
    PincodeExpired,
    PincodeLocked,
    PincodeWrong,
    SignupStarted,
    StartSignup,
)
from storage import signup as store
from storage.signup import Pincode

PURPOSE = "signup"
HOUR = timedelta(hours=1)


def start(tx: Transaction, ask: StartSignup) -> SignupStarted:
    """Mail a fresh pincode; it replaces the one before. The same for known addresses."""
    email = profiles.normal_email(ask.email)
    before = store.open_pincode(tx, Pincode(email, PURPOSE, "", "", 0, tx.now, 0, tx.now))
    sent, sent_since = _count_sent(tx, before)
    pincode = f"{secrets.randbelow(1_000_000):06d}"
    request_id = tx.new_id()
    store.keep_pincode(
        tx,
        Pincode(
            email=email,
            purpose=PURPOSE,
            request_id=request_id,
            fingerprint=tx.keys.fingerprint(PURPOSE, request_id, email, pincode),
            tries=0,
            expires_at=tx.now + tx.rules.span("pincode_life_s"),
            sent=sent,
            sent_since=sent_since,
        ),
    )
    minutes = tx.rules.pincode_life_s // 60
    tx.publish(mails.compose(tx, "pincode", email, pincode=pincode, minutes=minutes))
    return SignupStarted(expires_in_s=tx.rules.pincode_life_s)


def complete(tx: Transaction, ask: CompleteSignup, password_hash: str) -> SessionView:
    """Spend the pincode and make the user; raises what the pincode deserves."""
    email = profiles.normal_email(ask.email)
    spend_pincode(tx, email, PURPOSE, ask.pincode)
    user = profiles.create_user(tx, email, ask.first_name, ask.last_name)
    if user is None:
        raise EmailTaken
    accounts.set_password(tx, user.id, password_hash)
    return accounts.open_session(tx, user.id)


def spend_pincode(tx: Transaction, email: str, purpose: str, pincode: str) -> None:
    """Check a pincode and use it up; a wrong try is counted, the last one kills it."""
    kept = store.find_pincode(tx, email, purpose)
    if kept is None:
        raise PincodeWrong
    if kept.tries >= tx.rules.pincode_tries:
        raise PincodeLocked
    if kept.expires_at <= tx.now:
        raise PincodeExpired
    fingerprint = tx.keys.fingerprint(purpose, kept.request_id, email, pincode)
    if not hmac.compare_digest(fingerprint, kept.fingerprint):
        store.count_try(tx, email, purpose)
        raise PincodeWrong
    store.delete_pincode(tx, email, purpose)


def _count_sent(tx: Transaction, before: Pincode) -> tuple[int, datetime]:
    """How many pincodes went to this address within the hour, this one included."""
    if tx.now - before.sent_since >= HOUR:
        return 1, tx.now
    if before.sent >= tx.rules.pincodes_per_hour:
        wait = before.sent_since + HOUR - tx.now
        raise RateLimited(retry_after_s=round(wait.total_seconds(), 3))
    return before.sent + 1, before.sent_since
