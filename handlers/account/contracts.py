"""What is said about one's own account."""

from msgspec import UNSET, UnsetType

from handlers.auth.contracts import Password
from handlers.identities.contracts import Ticket, Verifier
from handlers.kit.contract import Change, ChangeNothing, Id, Nothing, Request, View
from handlers.pincodes.contracts import Pincode
from handlers.profile.contracts import Email


class SendProof(Nothing):
    """Ask for a pincode to oneself."""


class Prove(Request):
    """One of the three: the password, a pincode of `send_proof`, or a ticket made `fresh`."""

    password: Password | UnsetType = UNSET
    pincode: Pincode | UnsetType = UNSET
    ticket: Ticket | UnsetType = UNSET
    verifier: Verifier | UnsetType = UNSET


class SetPassword(Change):
    """A first password, or a new one where the old is forgotten; by a pincode of `send_proof`."""

    pincode: Pincode
    new_password: Password


class RemovePassword(ChangeNothing):
    """Sign in no more by password."""


class ChangeEmail(Change):
    email: Email


class ConfirmEmail(Change):
    """`pincode` came to the new address, `old_pincode` to the old one."""

    email: Email
    pincode: Pincode
    old_pincode: Pincode


class SetPicture(Change, kw_only=True):
    """An uploaded image, or null for none."""

    upload_id: Id | None


class ProofView(View):
    """What needs a fresh proof can be done for so long."""

    fresh_for_s: int
