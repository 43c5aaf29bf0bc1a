"""What is said about pincodes."""

from typing import Annotated

from msgspec import Meta

from handlers.kit.contract import View
from handlers.kit.errors import Refusal

Pincode = Annotated[str, Meta(pattern=r"^[0-9]{6}$(?!\n)")]


class PincodeWrong(Refusal):
    """This pincode is wrong."""

    KEEPS = True


class PincodeExpired(Refusal):
    """This pincode is too old; ask for another."""


class PincodeLocked(Refusal):
    """Too many wrong tries; ask for another pincode."""


class PincodeSent(View):
    """How long the pincode lives; the same whether the address is known or not."""

    expires_in_s: int


PINCODE_REFUSALS = (PincodeWrong, PincodeExpired, PincodeLocked)
