"""Decisions about passwords: sign-in, changes, resets and proofs of identity."""

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
    """The account of an email address: the user, the password's hash, and the known device in use.

    `reader` has the preferences of that user.
    """

    user_id: str | None
    password_hash: str | None
    device: KnownDeviceRow | None
    reader: Reader


def find_login(tx: Transaction, ask: Login) -> Account:
    """The account of an address; an address without an account takes the same work.

    Raises RateLimited after too many wrong passwords, so refused attempts cost no hashing.
    """
    account = _find_account(tx, ask.email, ask.device_token)
    throttle.check(tx, *guesses.limit_for_sign_in(tx, ask.email, account.device))
    return account


def log_in(
    tx: Transaction, ask: Login, account: Account, right: bool, renewed: str | None = None
) -> SessionView:
    """Open a session, or count the failure. Raises CredentialsWrong (which commits) or RateLimited.

    `renewed` replaces a hash of the same password in another Unicode form.

    `right` is whether the password matched the hash in `account`. That hash must still be the
    stored one: a password change ends all sessions, so the old password must not open a new one.
    While the next attempt has to wait, a correct password is refused like a wrong one.
    """
    bound = guesses.limit_for_sign_in(tx, ask.email, account.device)
    proved = account.password_hash if right else None
    if account.user_id is None or not _is_current(tx, account.user_id, proved):
        fingerprint = tx.keys.fingerprint("login", ask.email)
        failure = AuthFailure(email_fingerprint=fingerprint, user_id=account.user_id)
        guesses.count_wrong(tx, bound, failure)
        raise CredentialsWrong
    throttle.hold(tx, *bound)
    if renewed is not None:
        store.set_password(tx, account.user_id, renewed, tx.now)
    return sign_in(tx, account.user_id, "password", ask.device_token)


def get_password_hash(tx: Transaction) -> str | None:
    """The actor's hash; raises RateLimited when their session tried too many wrong passwords."""
    throttle.check(tx, *guesses.limit_for_session(tx))
    return store.find_password(tx, tx.actor.id)


def require_strong(tx: Transaction, password: str) -> None:
    """Raises PasswordWeak unless the password is strong enough for the actor."""
    user = profiles.get_user(tx, tx.actor.id)
    check_strength(password, tx.rules, user.email, user.first_name, user.last_name)


def change_password(tx: Transaction, current: str | None, new_hash: str | None) -> Empty:
    """Set the new password and end every other session.

    `new_hash` is None when the given old password did not match the hash `current`. Raises
    CredentialsWrong (which commits) or RateLimited.
    """
    _require_password(tx, current if new_hash is not None else None, "PASSWORD_WRONG")
    assert new_hash is not None
    set_password(tx, tx.actor.id, new_hash)
    end_other_sessions(tx, "password_changed")
    return Empty()


def forgot(tx: Transaction, ask: Forgot) -> PincodeSent:
    """Mail a pincode for a new password, or a mail that the address has no account.

    Both cases cost the same, so the answer does not reveal which addresses have accounts.
    """
    account = _find_account(tx, ask.email, ask.device_token)
    by = pincodes.visitor(tx, account.device.id if account.device else None)
    mail, link = (RESET_MAIL, None) if account.user_id else (NO_ACCOUNT_MAIL, "/signup")
    return pincodes.send_pincode(
        tx, ask.email, RESET, by, mail=mail, link=link, reader=account.reader
    )


def reset(tx: Transaction, ask: Reset, new_hash: str) -> SessionView:
    """Set a password with a pincode of `forgot`, end all earlier sessions, and sign in.

    The check against the user's names comes last, because it reveals them: the pincode first proves
    that the caller reads the user's mail. A refused password does not spend the pincode.
    """
    email = ask.email
    device = _find_account(tx, email, ask.device_token).device
    by = pincodes.visitor(tx, device.id if device else None)
    pincodes.spend_pincode(tx, email, RESET, ask.pincode, by, ticket=ask.ticket)
    user = profiles.lock_user_by_email(tx, email)  # the account may be changing its address
    if user is None:
        raise PincodeWrong
    check_strength(ask.new_password, tx.rules, user.first_name, user.last_name)
    add_password(tx, user.id, new_hash)
    end_sessions_of(tx, user.id, "password_reset", kept_device=device.id if device else "")
    return sign_in(tx, user.id, "pincode", ask.device_token)


def set_password(tx: Transaction, user_id: str, password_hash: str) -> None:
    store.set_password(tx, user_id, password_hash, tx.now)
    device, place = devices.device_and_place(tx)
    tx.publish(NewPasswordSet(user_id=user_id, device=device, place=place))


def add_password(tx: Transaction, user_id: str, password_hash: str) -> None:
    """Set a password; for a user without one, this also adds a sign-in method."""
    if store.lock_password(tx, user_id) is None:
        device, place = devices.device_and_place(tx)
        tx.publish(AuthMethodAdded(user_id=user_id, method="password", device=device, place=place))
    set_password(tx, user_id, password_hash)


def has_password(tx: Transaction, user_id: str) -> bool:
    return store.find_password(tx, user_id) is not None


def remove_password(tx: Transaction, user_id: str) -> None:
    """Remove the password, if any. The caller makes sure that another sign-in method remains."""
    if store.delete_password(tx, user_id):
        device, place = devices.device_and_place(tx)
        tx.publish(
            AuthMethodRemoved(user_id=user_id, method="password", device=device, place=place)
        )


def prove_by_password(tx: Transaction, proved: str | None) -> None:
    """Record a fresh proof by password; `proved` is the hash that the password matched, or None.

    Raises CredentialsWrong (which commits) when there was no match or the stored hash has changed,
    and RateLimited after too many wrong passwords in this session.
    """
    _require_password(tx, proved, "PROOF_WRONG")
    note_proof(tx)


def _require_password(tx: Transaction, proved: str | None, reason: str) -> None:
    """Raises CredentialsWrong (which commits) or RateLimited unless `proved` is the stored hash."""
    bound = guesses.limit_for_session(tx)
    if not _is_current(tx, tx.actor.id, proved):
        guesses.count_wrong(tx, bound, AuthFailure(user_id=tx.actor.id, reason=reason))
        raise CredentialsWrong
    throttle.hold(tx, *bound)


def _find_account(tx: Transaction, email: str, device_token: str | UnsetType) -> Account:
    """The account of an address, if any; runs the same statements in both cases."""
    user = profiles.find_user_by_email(tx, email)
    user_id = user.id if user else None
    password_hash = store.find_password(tx, user_id or "")
    reader = profiles.reader_of(user) if user else ANYBODY
    known = devices.find_known(tx, user_id, device_token)
    return Account(user_id, password_hash, known, reader)


def _is_current(tx: Transaction, user_id: str, proved: str | None) -> bool:
    """Whether `proved` is still the stored hash; if so, its row stays locked until the commit."""
    return proved is not None and store.lock_password(tx, user_id) == proved
