"""Views, events and refusals of pincodes."""

from typing import Annotated, ClassVar

from msgspec import Meta

from handlers.kit.contract import Event, View
from handlers.kit.errors import Refusal
from handlers.kit.texts import opaque

Pincode = Annotated[str, Meta(pattern=r"^[0-9]{6}$(?!\n)")]
PincodeTicket = Annotated[str, opaque(1, 100)]


class PincodeWrong(Refusal):
    """This pincode is incorrect."""

    KEEPS = True


class PincodeExpired(Refusal):
    """This pincode has expired; request a new one."""


class PincodeLocked(Refusal):
    """Too many incorrect attempts; request a new pincode."""


class PincodeSent(View):
    """How long the pincode is valid; the answer is the same for known and unknown addresses.

    Send the `ticket` together with the pincode. Without it, the server may count your attempts
    together with those of others who asked for the same address.
    """

    PLAIN: ClassVar[tuple[str, ...]] = ("ticket",)

    expires_in_s: int
    ticket: str


PINCODE_REFUSALS = (PincodeWrong, PincodeExpired, PincodeLocked)


class PincodesGuessed(Event):
    """Strangers tried many wrong pincodes for an address; sealed, because it names the address."""

    NAME: ClassVar[str] = "PINCODES_GUESSED"
    SEALED: ClassVar[bool] = True
    email: str
    email_fingerprint: str
    tries: int

    def key(self) -> str:
        return f"pincodes:{self.email_fingerprint}"
