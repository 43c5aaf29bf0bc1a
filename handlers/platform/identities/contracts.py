"""What is said about signing in elsewhere."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from msgspec import UNSET, Meta, UnsetType

from handlers.kit.contract import Change, Event, Id, Nothing, Request, View
from handlers.kit.errors import Refusal
from handlers.kit.texts import opaque
from handlers.platform.auth.contracts import DeviceToken
from handlers.platform.pincodes.contracts import Pincode, PincodeTicket
from handlers.platform.profile.contracts import Email

Ticket = Annotated[str, opaque(20, 100)]
Verifier = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._~-]{43,128}$(?!\n)")]
Challenge = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}$(?!\n)")]


class TicketInvalid(Refusal):
    """This ticket was spent, is too old, or was made for another client."""


class EmailNeeded(Refusal):
    """The provider proved no address: send yours with a pincode of /signup start."""


class IdentityTaken(Refusal):
    """Somebody else signs in by this already."""


class LastMethod(Refusal):
    """This is the only way left to sign in."""


class TooManyMethods(Refusal):
    """There is no room for another way to sign in."""


class StartOAuth(Request):
    """The query of `/oauth/<provider>/start`.

    `challenge` is the S256 of a verifier that the client keeps, without which the ticket is worth
    nothing; `redirect`, an app's own address from the operator's list, needs one. `fresh` lets the
    provider ask the person anew.
    """

    challenge: Challenge | UnsetType = UNSET
    redirect: Annotated[str, opaque(1, 500)] | UnsetType = UNSET
    fresh: Literal["1"] | UnsetType = UNSET


class ListProviders(Nothing):
    """Ask which providers one can sign in with."""


class OAuth(Request):
    """Spend a ticket. `email` and `pincode` where the answer was EMAIL_NEEDED.

    `pincode_ticket` is the `ticket` of `/signup start`; `device_token` is that of a session before.
    """

    ticket: Ticket
    verifier: Verifier | UnsetType = UNSET
    email: Email | UnsetType = UNSET
    pincode: Pincode | UnsetType = UNSET
    pincode_ticket: PincodeTicket | UnsetType = UNSET
    device_token: DeviceToken | UnsetType = UNSET


class ListMethods(Nothing):
    """Ask how one can sign in."""


class Link(Change):
    """Add what a ticket stands for; the ticket was started with a challenge."""

    ticket: Ticket
    verifier: Verifier


class Unlink(Change):
    identity_id: Id


class ProviderView(View):
    """A provider; one signs in there by going to `/oauth/<name>/start`."""

    name: str
    title: str


class ProvidersView(View):
    """The providers that are set up here."""

    providers: list[ProviderView]


class IdentityView(View):
    """A person at another house; `email` is what it said there."""

    OWN: ClassVar[tuple[str, ...]] = ("provider", "title", "email")
    id: str
    provider: str
    title: str
    email: str | None
    linked_at: datetime


class SignInMethods(View):
    """How a person can sign in."""

    password: bool
    identities: list[IdentityView]


class _OfUser(Event):
    user_id: str

    def key(self) -> str:
        return f"user:{self.user_id}"


class OAuthLinked(_OfUser):
    """An identity at a provider is a person's way in from now on."""

    NAME: ClassVar[str] = "OAUTH_LINKED"
    PLAIN: ClassVar[tuple[str, ...]] = ("provider",)
    provider: str
    identity_id: str
