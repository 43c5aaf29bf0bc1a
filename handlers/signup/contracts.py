"""What is said about signing up."""

from typing import Annotated

from msgspec import Meta

from handlers.auth.contracts import Password
from handlers.kit.contract import Name, Request, View
from handlers.kit.errors import Refusal
from handlers.profile.contracts import Email


class PincodeWrong(Refusal):
    """This pincode is wrong."""

    KEEPS = True


class PincodeExpired(Refusal):
    """This pincode is too old; ask for another."""


class PincodeLocked(Refusal):
    """Too many wrong tries; ask for another pincode."""


class EmailTaken(Refusal):
    """There is an account with this address already."""

    KEEPS = True


class StartSignup(Request):
    email: Email


class CompleteSignup(Request):
    email: Email
    pincode: Annotated[str, Meta(pattern=r"^[0-9]{6}$(?!\n)")]
    first_name: Name
    last_name: Name
    password: Password


class SignupStarted(View):
    """How long the pincode lives; the same whether the address is known or not."""

    expires_in_s: int
