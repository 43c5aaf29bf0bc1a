"""What is said about pincodes."""

from typing import Annotated, ClassVar

from msgspec import Meta

from handlers.kit.contract import Event, View
from handlers.kit.errors import Refusal
from handlers.kit.texts import opaque

Pincode = Annotated[str, Meta(pattern=r"^[0-9]{6}$(?!\n)")]
PincodeTicket = Annotated[str, opaque(1, 100)]


class PincodeWrong(Refusal):
    """This pincode is wrong."""

    KEEPS = True


class PincodeExpired(Refusal):
    """This pincode is too old; ask for another."""


class PincodeLocked(Refusal):
    """Too many wrong tries; ask for another pincode."""


class PincodeSent(View):
    """How long the pincode lives; the same whether the address is known or not.

    Send the `ticket` along with the pincode: tries without it may be mixed up with those of others
    who asked for the same address.
    """

    PLAIN: ClassVar[tuple[str, ...]] = ("ticket",)

    expires_in_s: int
    ticket: str


PINCODE_REFUSALS = (PincodeWrong, PincodeExpired, PincodeLocked)


class PincodesGuessed(Event):
    """Strangers tried many wrong pincodes for an address; it is sealed, as it names the address."""

    NAME: ClassVar[str] = "PINCODES_GUESSED"
    SEALED: ClassVar[bool] = True
    email: str
    email_fingerprint: str
    tries: int

    def key(self) -> str:
        return f"pincodes:{self.email_fingerprint}"
