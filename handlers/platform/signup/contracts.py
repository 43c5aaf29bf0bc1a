"""Requests of sign-up."""

from msgspec import UNSET, UnsetType

from handlers.kit.contract import Name, Request
from handlers.platform.auth.contracts import Password
from handlers.platform.pincodes.contracts import Pincode, PincodeTicket
from handlers.platform.profile.contracts import Email


class StartSignup(Request):
    email: Email


class CompleteSignup(Request):
    """`ticket` is the one that `start` answered."""

    email: Email
    pincode: Pincode
    first_name: Name
    last_name: Name
    password: Password
    ticket: PincodeTicket | UnsetType = UNSET
