"""Requests, views, events and refusals about sign-in with providers."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from msgspec import UNSET, Meta, UnsetType

from handlers.kit.contract import Change, Id, Nothing, Request, UserEvent, View
from handlers.kit.errors import Refusal
from handlers.kit.texts import opaque
from handlers.platform.auth.contracts import DeviceToken
from handlers.platform.pincodes.contracts import Pincode, PincodeTicket
from handlers.platform.profile.contracts import Email

Ticket = Annotated[str, opaque(20, 100)]
Verifier = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._~-]{43,128}$(?!\n)")]
Challenge = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{43}$(?!\n)")]


class TicketInvalid(Refusal):
    """This ticket was already used, has expired, or belongs to another client."""


class EmailNeeded(Refusal):
    """The provider confirmed no email address; send one with a pincode from /signup start."""


class IdentityTaken(Refusal):
    """Another user already signs in with this identity."""


class LastMethod(Refusal):
    """This is your only sign-in method."""


class TooManyMethods(Refusal):
    """You have the maximum number of sign-in methods."""


class StartOAuth(Request):
    """The query of `/oauth/<provider>/start`.

    `challenge` is the S256 hash of a verifier that the client keeps; the ticket cannot be used
    without that verifier. A ticket without a `challenge` can only sign in: `/profile link` and
    `prove` refuse it. `redirect` is an app's own address from the operator's list, and requires
    a `challenge`. `fresh` makes the provider authenticate the user again.
    """

    challenge: Challenge | UnsetType = UNSET
    redirect: Annotated[str, opaque(1, 500)] | UnsetType = UNSET
    fresh: Literal["1"] | UnsetType = UNSET


class ListProviders(Nothing):
    """Ask for the available providers."""


class OAuth(Request):
    """Use a ticket to sign in. After EMAIL_NEEDED, add `email` and `pincode`.

    `pincode_ticket` is the `ticket` that `/signup start` answered; `device_token` comes from an
    earlier session on this device.
    """

    ticket: Ticket
    verifier: Verifier | UnsetType = UNSET
    email: Email | UnsetType = UNSET
    pincode: Pincode | UnsetType = UNSET
    pincode_ticket: PincodeTicket | UnsetType = UNSET
    device_token: DeviceToken | UnsetType = UNSET


class ListMethods(Nothing):
    """Ask for your sign-in methods."""


class Link(Change):
    """Add the identity of a ticket; the ticket must have been started with a challenge."""

    ticket: Ticket
    verifier: Verifier


class Unlink(Change):
    identity_id: Id


class ProviderView(View):
    """A provider; to sign in with it, open `/oauth/<name>/start`."""

    name: str
    title: str


class ProvidersView(View):
    """The providers that this server is configured for."""

    providers: list[ProviderView]


class IdentityView(View):
    """A user's identity at a provider; `email` is the address that the provider gave."""

    OWN: ClassVar[tuple[str, ...]] = ("provider", "title", "email")
    id: str
    provider: str
    title: str
    email: str | None
    linked_at: datetime


class SignInMethods(View):
    """A user's sign-in methods."""

    password: bool
    identities: list[IdentityView]


class OAuthLinked(UserEvent):
    """A user linked an identity at a provider as a sign-in method."""

    NAME: ClassVar[str] = "OAUTH_LINKED"
    PLAIN: ClassVar[tuple[str, ...]] = ("provider",)
    provider: str
    identity_id: str
