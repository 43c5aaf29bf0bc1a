"""What is said about one's own account."""

from typing import ClassVar

from msgspec import UNSET, UnsetType

from handlers.kit.contract import (
    Change,
    ChangeNothing,
    Event,
    Id,
    Nothing,
    Personal,
    Request,
    View,
)
from handlers.platform.auth.contracts import Password
from handlers.platform.identities.contracts import Ticket, Verifier
from handlers.platform.pincodes.contracts import Pincode, PincodeTicket
from handlers.platform.profile.contracts import Email


class SendProof(Nothing):
    """Ask for a pincode to oneself."""


class Prove(Request):
    """One of the three: the password, a pincode of `send_proof`, or a ticket made `fresh`.

    `pincode_ticket` is the `ticket` of `send_proof`.
    """

    password: Password | UnsetType = UNSET
    pincode: Pincode | UnsetType = UNSET
    pincode_ticket: PincodeTicket | UnsetType = UNSET
    ticket: Ticket | UnsetType = UNSET
    verifier: Verifier | UnsetType = UNSET


class SetPassword(Change):
    """A first password, or a new one where the old is forgotten; by a pincode of `send_proof`."""

    pincode: Pincode
    new_password: Password
    ticket: PincodeTicket | UnsetType = UNSET


class RemovePassword(ChangeNothing):
    """Sign in no more by password."""


class ChangeEmail(Change):
    email: Email


class ConfirmEmail(Change):
    """`pincode` came to the new address, `old_pincode` to the old one; both have one `ticket`."""

    email: Email
    pincode: Pincode
    old_pincode: Pincode
    ticket: PincodeTicket | UnsetType = UNSET


class SetPicture(Change, kw_only=True):
    """An uploaded image, or null for none."""

    upload_id: Id | None


class ProofView(View):
    """What needs a fresh proof can be done for so long."""

    fresh_for_s: int


class EmailChanged(Event):
    """An account has another address; `device` and `place` tell from where it was changed."""

    NAME: ClassVar[str] = "EMAIL_CHANGED"
    PERSONAL: ClassVar[Personal] = {"user_id": {"device": "", "place": ""}}
    user_id: str
    device: str
    place: str

    def key(self) -> str:
        return f"user:{self.user_id}"
