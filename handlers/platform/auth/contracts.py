"""Requests, views, events and refusals about authentication."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from msgspec import UNSET, UnsetType

from handlers.kit.contract import (
    Change,
    ChangeNothing,
    Event,
    Id,
    Moment,
    Nothing,
    Personal,
    Request,
    UserEvent,
    View,
)
from handlers.kit.errors import Refusal
from handlers.kit.texts import opaque
from handlers.platform.pincodes.contracts import Pincode, PincodeTicket
from handlers.platform.profile.contracts import Email, UserView

Password = Annotated[str, opaque(1, 256)]
RefreshToken = Annotated[str, opaque(1, 200)]
DeviceToken = Annotated[str, opaque(1, 200)]
SessionEnd = Literal[
    "logout",
    "ended_elsewhere",
    "expired",
    "refresh_reused",
    "too_many",
    "password_changed",
    "password_reset",
    "email_changed",
    "method_removed",
    "account_deleted",
]
"""Why a session ended."""


class CredentialsWrong(Refusal):
    """The email address or password is incorrect."""

    KEEPS = True


class PasswordWeak(Refusal):
    """This password is too short, too common, or too similar to your name or address."""


class RefreshReused(Refusal):
    """This refresh token was already used, so the session was ended."""

    KEEPS = True


class TokenInvalid(Refusal):
    """This token is not valid."""


class TokenExpired(Refusal):
    """This token has expired."""


class SessionRevoked(Refusal):
    """This session has ended."""


class ProofNeeded(Refusal):
    """This needs a fresh proof of your identity (/profile prove)."""


class Login(Request):
    """`device_token` comes from any earlier session of this user on this device."""

    email: Email
    password: Password
    device_token: DeviceToken | UnsetType = UNSET


class Refresh(Request):
    refresh_token: RefreshToken


class Logout(Request):
    refresh_token: RefreshToken


class Forgot(Request):
    email: Email
    device_token: DeviceToken | UnsetType = UNSET


class Reset(Request):
    """`ticket` is the one that `forgot` answered."""

    email: Email
    pincode: Pincode
    new_password: Password
    ticket: PincodeTicket | UnsetType = UNSET
    device_token: DeviceToken | UnsetType = UNSET


class ListSessions(Nothing):
    """Ask for your sessions."""


class EndSession(Change):
    session_id: Id


class EndOtherSessions(ChangeNothing):
    """End all your other sessions."""


class ForgiveGuesses(ChangeNothing):
    """Let unknown devices sign in without waiting for earlier wrong passwords."""


class ChangePassword(Change):
    current_password: Password
    new_password: Password


class SessionView(View):
    """The tokens and the user of a session.

    Store the `device_token` for this user, also after the session ends, and send it at the next
    sign-in. The server then recognizes the device, and other people's failed attempts to sign in
    to the account do not delay it.
    """

    access_token: str
    access_expires_in_s: int
    refresh_token: str
    device_token: str
    user: UserView


class OpenSession(View):
    """A session; `place` is empty when the location of its address is not known.

    `last_seen_at` may be a few minutes old.
    """

    id: str
    device: str
    address: str
    place: str
    signed_in_at: datetime
    last_seen_at: datetime
    current: bool


class GuessesView(View):
    """Wrong passwords that unknown devices tried for the account, so that these devices must wait.

    They wait until `free_at`. The attempts count until `ends_at`, or until the user forgives them.
    """

    tries: int
    free_at: datetime
    ends_at: datetime


class SessionList(View):
    """The open sessions of a user, and the wrong passwords that slow down unknown devices."""

    sessions: list[OpenSession]
    guesses: GuessesView | None = None


class AuthSuccess(UserEvent):
    """A user signed in."""

    NAME: ClassVar[str] = "AUTH_SUCCESS"
    PERSONAL: ClassVar[Personal] = {"user_id": {"device": "", "place": ""}}
    PLAIN: ClassVar[tuple[str, ...]] = ("method",)
    session_id: str
    device: str
    method: str = "password"
    place: str = ""
    new_device: bool = False


class AuthFailure(Event):
    """An attempt to sign in failed; the address is stored only as a fingerprint."""

    NAME: ClassVar[str] = "AUTH_FAILURE"
    PERSONAL: ClassVar[Personal] = {"user_id": {"email_fingerprint": ""}}
    PLAIN: ClassVar[tuple[str, ...]] = ("method", "reason")
    email_fingerprint: str = ""
    user_id: str | None = None
    method: str = "password"
    reason: str = "CREDENTIALS_WRONG"

    def key(self) -> str:
        return f"auth:{self.email_fingerprint or self.method}"


class SignInsFailed(Event):
    """Many wrong passwords were tried for one account, or for an address without an account.

    `signed_in`: the attempts came from a session of the account, not from the sign-in page.
    """

    NAME: ClassVar[str] = "SIGN_INS_FAILED"
    PERSONAL: ClassVar[Personal] = {"user_id": {"email_fingerprint": ""}}
    email_fingerprint: str
    user_id: str | None
    tries: int
    signed_in: bool

    def key(self) -> str:
        return f"auth:{self.email_fingerprint or self.user_id}"


class _OfUserSomewhere(UserEvent, kw_only=True):
    """`device` and `place` describe where the change came from."""

    PERSONAL: ClassVar[Personal] = {"user_id": {"device": "", "place": ""}}
    device: str = ""
    place: str = ""


class NewPasswordSet(_OfUserSomewhere):
    """A password was set; the event does not contain it."""

    NAME: ClassVar[str] = "NEW_PASSWORD_SET"


class _OfMethod(_OfUserSomewhere, kw_only=True):
    PLAIN: ClassVar[tuple[str, ...]] = ("method",)
    method: str


class AuthMethodAdded(_OfMethod):
    """A user added a sign-in method: `password`, or the name of a provider."""

    NAME: ClassVar[str] = "AUTH_METHOD_ADDED"


class AuthMethodRemoved(_OfMethod):
    """A user removed a sign-in method."""

    NAME: ClassVar[str] = "AUTH_METHOD_REMOVED"


class SessionDue(UserEvent):
    """A session was not refreshed before it expired."""

    NAME: ClassVar[str] = "SESSION_DUE"
    session_id: str
    expires_at: Moment
