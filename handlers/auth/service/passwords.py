"""Decisions about passwords: signing in by one, changing, resetting and proving by it."""

from handlers.auth.contracts import (
    AuthFailure,
    AuthMethodAdded,
    AuthMethodRemoved,
    CredentialsWrong,
    Forgot,
    NewPasswordSet,
    Reset,
    SessionView,
)
from handlers.auth.service.sessions import (
    end_other_sessions,
    end_sessions_of,
    note_proof,
    sign_in,
)
from handlers.kit.context import Transaction
from handlers.kit.contract import Empty
from handlers.pincodes import public as pincodes
from handlers.pincodes.contracts import PincodeSent, PincodeWrong
from handlers.profile import public as profiles
from storage import auth as store

RESET = "reset"


def find_login(tx: Transaction, email: str) -> tuple[str, str | None] | None:
    """`(user id, password hash)` of the account behind an address, if there is one."""
    user = profiles.find_user_by_email(tx, email)
    return (user.id, store.find_password(tx, user.id)) if user else None


def log_in(tx: Transaction, email: str, user_id: str | None, proved: str | None) -> SessionView:
    """Open a session, or record the failure; raises CredentialsWrong (kept).

    `proved` is the hash that the password proved right for, if it did. It must still be the stored
    one: a change ends the sessions that there are, so none may begin by what was before it.
    """
    if user_id is None or not _is_current(tx, user_id, proved):
        fingerprint = tx.keys.fingerprint("login", profiles.normal_email(email))
        tx.publish(AuthFailure(email_fingerprint=fingerprint, user_id=user_id))
        raise CredentialsWrong
    return sign_in(tx, user_id, "password")


def get_password_hash(tx: Transaction) -> str | None:
    return store.find_password(tx, tx.actor.id)


def change_password(tx: Transaction, current: str | None, new_hash: str | None) -> Empty:
    """Set the new password and end every other session.

    There is a `new_hash` when the old password proved right for `current`.
    """
    if new_hash is None or not _is_current(tx, tx.actor.id, current):
        raise CredentialsWrong
    set_password(tx, tx.actor.id, new_hash)
    end_other_sessions(tx, "password_changed")
    return Empty()


def forgot(tx: Transaction, ask: Forgot) -> PincodeSent:
    """Mail a pincode for a new password; a stranger's address gets a mail that says so.

    Both cost the same, so nobody learns which addresses have accounts.
    """
    email = profiles.normal_email(ask.email)
    known = profiles.find_user_by_email(tx, email) is not None
    return pincodes.send_pincode(tx, email, RESET, mail="reset" if known else "no_account")


def reset(tx: Transaction, ask: Reset, new_hash: str) -> SessionView:
    """Set a password by a pincode of `forgot` and sign in; all sessions before end."""
    email = profiles.normal_email(ask.email)
    pincodes.spend_pincode(tx, email, RESET, ask.pincode)
    user = profiles.lock_user_by_email(tx, email)  # who moves away now takes the account along
    if user is None:
        raise PincodeWrong
    add_password(tx, user.id, new_hash)
    end_sessions_of(tx, user.id, "password_reset")
    return sign_in(tx, user.id, "pincode")


def set_password(tx: Transaction, user_id: str, password_hash: str) -> None:
    store.set_password(tx, user_id, password_hash, tx.now)
    tx.publish(NewPasswordSet(user_id=user_id))


def add_password(tx: Transaction, user_id: str, password_hash: str) -> None:
    """Set it; for who had none it is one more way to sign in."""
    if store.lock_password(tx, user_id) is None:
        tx.publish(AuthMethodAdded(user_id=user_id, method="password"))
    set_password(tx, user_id, password_hash)


def has_password(tx: Transaction, user_id: str) -> bool:
    return store.find_password(tx, user_id) is not None


def remove_password(tx: Transaction, user_id: str) -> None:
    """Take the password away, if there is one; who calls knows that another way in is left."""
    if store.delete_password(tx, user_id):
        tx.publish(AuthMethodRemoved(user_id=user_id, method="password"))


def prove_by_password(tx: Transaction, proved: str | None) -> None:
    """The session's person gave their password, which proved right for the hash `proved`.

    Raises CredentialsWrong (kept) when it was wrong, or is not the stored one any more.
    """
    if not _is_current(tx, tx.actor.id, proved):
        tx.publish(AuthFailure(user_id=tx.actor.id, reason="PROOF_WRONG"))
        raise CredentialsWrong
    note_proof(tx)


def _is_current(tx: Transaction, user_id: str, proved: str | None) -> bool:
    """Whether this is still the stored hash; if so, it stays that until the commit."""
    return proved is not None and store.lock_password(tx, user_id) == proved
