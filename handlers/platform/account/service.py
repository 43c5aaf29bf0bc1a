"""Decisions about a user's own account.

Invariant: here and in identities, a transaction that removes a sign-in method first locks the
user's row. So one method always remains.
"""

from msgspec import UNSET, UnsetType

from handlers.kit.contract import Empty
from handlers.kit.transaction import Transaction
from handlers.platform.account.contracts import (
    ConfirmEmail,
    EmailChanged,
    ProofView,
    Prove,
    SetPassword,
)
from handlers.platform.account.mails import ADDRESS_LEFT, LEAVING_ADDRESS
from handlers.platform.auth import public as accounts
from handlers.platform.identities import public as identities
from handlers.platform.identities.contracts import LastMethod, SignInMethods
from handlers.platform.pincodes import public as pincodes
from handlers.platform.pincodes.contracts import PincodeSent
from handlers.platform.pincodes.public import Asker
from handlers.platform.profile import public as profiles
from handlers.platform.profile.contracts import EmailTaken, UserView
from handlers.platform.send import public as mails
from handlers.platform.uploads import public as uploads

PROOF = "proof"
OLD_ADDRESS = "old address"
NEW_ADDRESS = "new address"


def send_proof(tx: Transaction) -> PincodeSent:
    """Mail the actor a pincode that proves their identity."""
    user = profiles.get_user(tx, tx.actor.id)
    reader = profiles.reader_of(user)
    return pincodes.send_pincode(tx, user.email, PROOF, _owner(tx), reader=reader, bound_to=user.id)


def prove(tx: Transaction, ask: Prove, proved: str | None) -> ProofView:
    """Record a fresh proof of identity.

    `proved` is the hash that the given password matched; None without a match or a password.
    """
    if ask.pincode is not UNSET:
        _spend_proof(tx, ask.pincode, ask.pincode_ticket)
        accounts.note_proof(tx)
    elif ask.ticket is not UNSET:
        identities.spend_for_proof(tx, ask.ticket, ask.verifier)
        accounts.note_proof(tx)
    else:
        accounts.prove_by_password(tx, proved)
    return ProofView(fresh_for_s=accounts.get_proof_life_s(tx))


def set_password(tx: Transaction, ask: SetPassword, new_hash: str) -> Empty:
    """Set a password with a pincode, and end every other session."""
    _spend_proof(tx, ask.pincode, ask.ticket)
    profiles.lock_user(tx, tx.actor.id)
    accounts.add_password(tx, tx.actor.id, new_hash)
    accounts.end_other_sessions(tx, "password_changed")
    return Empty()


def remove_password(tx: Transaction) -> SignInMethods:
    """Remove the password, and end every other session. Raises ProofNeeded or LastMethod."""
    accounts.require_fresh_proof(tx)
    profiles.lock_user(tx, tx.actor.id)
    if not identities.has_identity(tx, tx.actor.id):
        raise LastMethod
    accounts.remove_password(tx, tx.actor.id)
    accounts.end_other_sessions(tx, "method_removed")
    return identities.list_methods(tx)


def change_email(tx: Transaction, new: str) -> PincodeSent:
    """Mail a pincode to the current address and another one to the new address.

    Only a user who proves that they own the new address learns whether it has an account already.
    """
    accounts.require_fresh_proof(tx)
    user, ticket = profiles.get_user(tx, tx.actor.id), pincodes.make_ticket()
    asker, reader = pincodes.session(tx, trusted=False), profiles.reader_of(user)
    pincodes.send_pincode(
        tx, new, NEW_ADDRESS, asker, reader=reader, bound_to=user.id, ticket=ticket
    )
    return pincodes.send_pincode(
        tx,
        user.email,
        OLD_ADDRESS,
        _owner(tx),
        mail=LEAVING_ADDRESS,
        reader=reader,
        link="/forgot",
        bound_to=f"{user.id} {new}",
        ticket=ticket,
        new_email=new,
    )


def confirm_email(tx: Transaction, ask: ConfirmEmail) -> UserView:
    """Change the address once pincodes prove both; raises EmailTaken.

    A last mail informs the old address of the change.
    """
    user, new = profiles.lock_user(tx, tx.actor.id), ask.email
    _spend_both(tx, ask, user, new)
    moved = profiles.change_email(tx, user.id, new)
    if moved is None:
        raise EmailTaken
    device, place = accounts.device_and_place(tx)
    tx.publish(EmailChanged(user_id=user.id, device=device, place=place))
    tx.publish(
        mails.compose(
            tx,
            ADDRESS_LEFT,
            user.email,
            profiles.reader_of(user),
            {"new_email": new, "where": accounts.where(device, place, tx.now)},
            link="/",
            user_id=user.id,
        )
    )
    accounts.end_other_sessions(tx, "email_changed")
    return moved


def set_picture(tx: Transaction, upload_id: str | None) -> UserView:
    """Replace or remove the actor's picture, and release the previous one. Raises NotFound."""
    profiles.lock_user(tx, tx.actor.id)
    if upload_id is not None:
        uploads.use(tx, upload_id, "image", public=True)
    user, before = profiles.change_picture(tx, upload_id)
    if before is not None:
        uploads.disuse(tx, before)
    return user


def _spend_proof(tx: Transaction, pincode: str, ticket: str | UnsetType) -> None:
    user, by = profiles.get_user(tx, tx.actor.id), _owner(tx)
    pincodes.spend_pincode(tx, user.email, PROOF, pincode, by, ticket=ticket, bound_to=user.id)


def _spend_both(tx: Transaction, ask: ConfirmEmail, user: UserView, new: str) -> None:
    """Spend the pincodes of both addresses. If one of them is wrong, neither is spent."""
    by, ticket, old = pincodes.session(tx, trusted=False), ask.ticket, user.email
    bound_to = f"{user.id} {new}"
    pincodes.try_pincode(tx, new, NEW_ADDRESS, ask.pincode, by, ticket=ticket, bound_to=user.id)
    pincodes.spend_pincode(
        tx, old, OLD_ADDRESS, ask.old_pincode, by, ticket=ticket, bound_to=bound_to
    )
    pincodes.spend_pincode(tx, new, NEW_ADDRESS, ask.pincode, by, ticket=ticket, bound_to=user.id)


def _owner(tx: Transaction) -> Asker:
    """The actor as the owner of their own mailbox."""
    return pincodes.session(tx, trusted=True)
