"""Decisions about passwords: signing in by one, changing, resetting and proving by it."""

import msgspec
from msgspec import UnsetType

from handlers.kit import throttle
from handlers.kit.contract import Empty
from handlers.kit.transaction import Transaction
from handlers.kit.wording import ANYBODY, Reader
from handlers.platform.auth.contracts import (
    AuthFailure,
    AuthMethodAdded,
    AuthMethodRemoved,
    CredentialsWrong,
    Forgot,
    Login,
    NewPasswordSet,
    Reset,
    SessionView,
)
from handlers.platform.auth.mails import NO_ACCOUNT_MAIL, RESET_MAIL
from handlers.platform.auth.service import devices, guesses
from handlers.platform.auth.service.sessions import (
    end_other_sessions,
    end_sessions_of,
    note_proof,
    sign_in,
)
from handlers.platform.auth.strength import check_strength
from handlers.platform.pincodes import public as pincodes
from handlers.platform.pincodes.contracts import PincodeSent, PincodeWrong
from handlers.platform.profile import public as profiles
from storage.platform.auth import sessions as store
from storage.platform.auth.known_devices import KnownDeviceRow

RESET = "reset"


class Account(msgspec.Struct, frozen=True):
    """What is behind an address: a person, their password's hash, and the device that asks.

    `reader` has the preferences of that person.
    """

    user_id: str | None
    password_hash: str | None
    device: KnownDeviceRow | None
    reader: Reader


def find_login(tx: Transaction, ask: Login) -> Account:
    """The account behind an address; the same work when there is none.

    Raises RateLimited when too many wrong passwords were tried, before any time goes into hashing.
    """
    account = _find_account(tx, ask.email, ask.device_token)
    throttle.check(tx, *guesses.at_the_door(tx, ask.email, account.device))
    return account


def log_in(tx: Transaction, ask: Login, account: Account, right: bool) -> SessionView:
    """Open a session, or record the failure; raises CredentialsWrong (kept) or RateLimited.

    `right` is whether the password proved right for the account's hash. That must still be the
    stored one: a change ends the sessions that there are, so none may begin by what was before it.
    A right password is refused like a wrong one while there is to be a wait.
    """
    bound = guesses.at_the_door(tx, ask.email, account.device)
    proved = account.password_hash if right else None
    if account.user_id is None or not _is_current(tx, account.user_id, proved):
        fingerprint = tx.keys.fingerprint("login", profiles.normal_email(ask.email))
        failure = AuthFailure(email_fingerprint=fingerprint, user_id=account.user_id)
        guesses.count_wrong(tx, bound, failure)
        raise CredentialsWrong
    throttle.hold(tx, *bound)
    return sign_in(tx, account.user_id, "password", ask.device_token)


def get_password_hash(tx: Transaction) -> str | None:
    """The actor's; raises RateLimited when their session tried too many wrong passwords."""
    throttle.check(tx, *guesses.in_session(tx))
    return store.find_password(tx, tx.actor.id)


def require_strong(tx: Transaction, password: str) -> None:
    """Raises PasswordWeak unless it can be a password of the actor's."""
    user = profiles.get_user(tx, tx.actor.id)
    check_strength(password, tx.rules, user.email, user.first_name, user.last_name)


def change_password(tx: Transaction, current: str | None, new_hash: str | None) -> Empty:
    """Set the new password and end every other session.

    There is a `new_hash` when the old password proved right for `current`.
    """
    _require_password(tx, current if new_hash is not None else None, "PASSWORD_WRONG")
    assert new_hash is not None
    set_password(tx, tx.actor.id, new_hash)
    end_other_sessions(tx, "password_changed")
    return Empty()


def forgot(tx: Transaction, ask: Forgot) -> PincodeSent:
    """Mail a pincode for a new password; a stranger's address gets a mail that says so.

    Both cost the same, so nobody learns which addresses have accounts.
    """
    email = profiles.normal_email(ask.email)
    account = _find_account(tx, email, ask.device_token)
    by = pincodes.visitor(tx, account.device.id if account.device else None)
    mail, link = (RESET_MAIL, None) if account.user_id else (NO_ACCOUNT_MAIL, "/signup")
    return pincodes.send_pincode(tx, email, RESET, by, mail=mail, link=link, reader=account.reader)


def reset(tx: Transaction, ask: Reset, new_hash: str) -> SessionView:
    """Set a password by a pincode of `forgot` and sign in; all sessions before end.

    Whether the password is made of the person's names is looked at last: only who reads their mail
    may learn them. A refused one costs no pincode.
    """
    email = profiles.normal_email(ask.email)
    device = _find_account(tx, email, ask.device_token).device
    by = pincodes.visitor(tx, device.id if device else None)
    pincodes.spend_pincode(tx, email, RESET, ask.pincode, by, ticket=ask.ticket)
    user = profiles.lock_user_by_email(tx, email)  # who moves away now takes the account along
    if user is None:
        raise PincodeWrong
    check_strength(ask.new_password, tx.rules, user.first_name, user.last_name)
    add_password(tx, user.id, new_hash)
    end_sessions_of(tx, user.id, "password_reset", kept_device=device.id if device else "")
    return sign_in(tx, user.id, "pincode", ask.device_token)


def set_password(tx: Transaction, user_id: str, password_hash: str) -> None:
    store.set_password(tx, user_id, password_hash, tx.now)
    device, place = devices.where(tx)
    tx.publish(NewPasswordSet(user_id=user_id, device=device, place=place))


def add_password(tx: Transaction, user_id: str, password_hash: str) -> None:
    """Set it; for who had none it is one more way to sign in."""
    if store.lock_password(tx, user_id) is None:
        device, place = devices.where(tx)
        tx.publish(AuthMethodAdded(user_id=user_id, method="password", device=device, place=place))
    set_password(tx, user_id, password_hash)


def has_password(tx: Transaction, user_id: str) -> bool:
    return store.find_password(tx, user_id) is not None


def remove_password(tx: Transaction, user_id: str) -> None:
    """Take the password away, if there is one; who calls knows that another way in is left."""
    if store.delete_password(tx, user_id):
        device, place = devices.where(tx)
        tx.publish(
            AuthMethodRemoved(user_id=user_id, method="password", device=device, place=place)
        )


def prove_by_password(tx: Transaction, proved: str | None) -> None:
    """The session's person gave their password, which proved right for the hash `proved`.

    Raises CredentialsWrong (kept) when it was wrong, or is not the stored one any more, and
    RateLimited when this session tried too many.
    """
    _require_password(tx, proved, "PROOF_WRONG")
    note_proof(tx)


def _require_password(tx: Transaction, proved: str | None, reason: str) -> None:
    """Raises CredentialsWrong (kept) or RateLimited unless `proved` is the actor's stored hash."""
    bound = guesses.in_session(tx)
    if not _is_current(tx, tx.actor.id, proved):
        guesses.count_wrong(tx, bound, AuthFailure(user_id=tx.actor.id, reason=reason))
        raise CredentialsWrong
    throttle.hold(tx, *bound)


def _find_account(tx: Transaction, email: str, device_token: str | UnsetType) -> Account:
    """With the same statements whether there is one or not."""
    user = profiles.find_user_by_email(tx, email)
    user_id = user.id if user else None
    password_hash = store.find_password(tx, user_id or "")
    reader = profiles.reader_of(user) if user else ANYBODY
    known = devices.find_known(tx, user_id, device_token)
    return Account(user_id, password_hash, known, reader)


def _is_current(tx: Transaction, user_id: str, proved: str | None) -> bool:
    """Whether this is still the stored hash; if so, it stays that until the commit."""
    return proved is not None and store.lock_password(tx, user_id) == proved
