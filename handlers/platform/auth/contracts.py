"""What is said about signing in."""

from datetime import datetime
from typing import Annotated, ClassVar

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
    View,
)
from handlers.kit.errors import Refusal
from handlers.kit.texts import opaque
from handlers.platform.pincodes.contracts import Pincode, PincodeTicket
from handlers.platform.profile.contracts import Email, UserView

Password = Annotated[str, opaque(1, 256)]
RefreshToken = Annotated[str, opaque(1, 200)]
DeviceToken = Annotated[str, opaque(1, 200)]


class CredentialsWrong(Refusal):
    """The address or the password is wrong."""

    KEEPS = True


class PasswordWeak(Refusal):
    """This password is too short, too common, or made of your own name or address."""


class RefreshReused(Refusal):
    """This refresh token was spent before; the session is over."""

    KEEPS = True


class TokenInvalid(Refusal):
    """This token is not one of ours."""


class TokenExpired(Refusal):
    """This token is too old."""


class SessionRevoked(Refusal):
    """This session is over."""


class ProofNeeded(Refusal):
    """Prove anew that it is you (/profile prove)."""


class Login(Request):
    """`device_token` is that of any session that was opened on this device before."""

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
    """`ticket` is that of `forgot`."""

    email: Email
    pincode: Pincode
    new_password: Password
    ticket: PincodeTicket | UnsetType = UNSET
    device_token: DeviceToken | UnsetType = UNSET


class ListSessions(Nothing):
    """Ask where one is signed in."""


class EndSession(Change):
    session_id: Id


class EndOtherSessions(ChangeNothing):
    """Sign out everywhere else."""


class ChangePassword(Change):
    current_password: Password
    new_password: Password


class SessionView(View):
    """A session's tokens and its person.

    Keep the `device_token`, for this person, after the session too, and send it when they sign in
    again: this device is then known, and not slowed down by what strangers do to the account.
    """

    access_token: str
    access_expires_in_s: int
    refresh_token: str
    device_token: str
    user: UserView


class OpenSession(View):
    """A device that is signed in; `place` is empty where nothing is known of its address.

    `last_seen_at` may be some minutes behind.
    """

    id: str
    device: str
    address: str
    place: str
    signed_in_at: datetime
    last_seen_at: datetime
    current: bool


class SessionList(View):
    """Where a person is signed in."""

    sessions: list[OpenSession]


class _OfUser(Event, kw_only=True):
    user_id: str

    def key(self) -> str:
        return f"user:{self.user_id}"


class AuthSuccess(_OfUser):
    """Somebody signed in."""

    NAME: ClassVar[str] = "AUTH_SUCCESS"
    PERSONAL: ClassVar[Personal] = {"user_id": {"device": "", "place": ""}}
    PLAIN: ClassVar[tuple[str, ...]] = ("method",)
    session_id: str
    device: str
    method: str = "password"
    place: str = ""
    new_device: bool = False


class AuthFailure(Event):
    """Somebody tried to sign in and could not; the address is kept only as a fingerprint."""

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
    """Many wrong passwords were tried for one account, or for an address that has none.

    `signed_in`: by a session of the account, not at the door.
    """

    NAME: ClassVar[str] = "SIGN_INS_FAILED"
    PERSONAL: ClassVar[Personal] = {"user_id": {"email_fingerprint": ""}}
    email_fingerprint: str
    user_id: str | None
    tries: int
    signed_in: bool

    def key(self) -> str:
        return f"auth:{self.email_fingerprint or self.user_id}"


class _OfUserSomewhere(_OfUser, kw_only=True):
    """`device` and `place` tell from where it was done."""

    PERSONAL: ClassVar[Personal] = {"user_id": {"device": "", "place": ""}}
    device: str = ""
    place: str = ""


class NewPasswordSet(_OfUserSomewhere):
    """A password was set; there is no secret in this."""

    NAME: ClassVar[str] = "NEW_PASSWORD_SET"


class _OfMethod(_OfUserSomewhere, kw_only=True):
    PLAIN: ClassVar[tuple[str, ...]] = ("method",)
    method: str


class AuthMethodAdded(_OfMethod):
    """A person can sign in by something more: `password`, or the name of a provider."""

    NAME: ClassVar[str] = "AUTH_METHOD_ADDED"


class AuthMethodRemoved(_OfMethod):
    """A person can no longer sign in by something."""

    NAME: ClassVar[str] = "AUTH_METHOD_REMOVED"


class SessionDue(_OfUser):
    """A session was not refreshed for its whole life."""

    NAME: ClassVar[str] = "SESSION_DUE"
    session_id: str
    expires_at: Moment
