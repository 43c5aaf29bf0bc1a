"""Requests, views, events and refusals about a user's own account."""

from typing import ClassVar

from msgspec import UNSET, UnsetType

from handlers.kit.contract import (
    Change,
    ChangeNothing,
    Id,
    Nothing,
    Personal,
    Request,
    UserEvent,
    View,
)
from handlers.platform.auth.contracts import Password
from handlers.platform.identities.contracts import Ticket, Verifier
from handlers.platform.pincodes.contracts import Pincode, PincodeTicket
from handlers.platform.profile.contracts import Email


class SendProof(Nothing):
    """Ask for a pincode to your own address."""


class Prove(Request):
    """Give one proof: the password, a pincode from `send_proof`, or a ticket made with `fresh`.

    `pincode_ticket` is the `ticket` that `send_proof` answered.
    """

    password: Password | UnsetType = UNSET
    pincode: Pincode | UnsetType = UNSET
    pincode_ticket: PincodeTicket | UnsetType = UNSET
    ticket: Ticket | UnsetType = UNSET
    verifier: Verifier | UnsetType = UNSET


class SetPassword(Change):
    """A first password, or a new one for a forgotten one; needs a pincode from `send_proof`."""

    pincode: Pincode
    new_password: Password
    ticket: PincodeTicket | UnsetType = UNSET


class RemovePassword(ChangeNothing):
    """Remove the password as a sign-in method."""


class ChangeEmail(Change):
    email: Email


class ConfirmEmail(Change):
    """`pincode` was sent to the new address, `old_pincode` to the old; they share a `ticket`."""

    email: Email
    pincode: Pincode
    old_pincode: Pincode
    ticket: PincodeTicket | UnsetType = UNSET


class SetPicture(Change, kw_only=True):
    """`upload_id` is an image that you have uploaded; null removes the picture."""

    upload_id: Id | None


class ProofView(View):
    """How long commands that need a fresh proof accept this one."""

    fresh_for_s: int


class EmailChanged(UserEvent):
    """An account's address changed; `device` and `place` describe where the change came from."""

    NAME: ClassVar[str] = "EMAIL_CHANGED"
    PERSONAL: ClassVar[Personal] = {"user_id": {"device": "", "place": ""}}
    device: str
    place: str
