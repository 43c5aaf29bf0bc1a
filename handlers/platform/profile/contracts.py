"""Requests, views, events and refusals of users and their profiles."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from handlers.kit.contract import Change, Event, Id, Name, Nothing, Personal, Request, View, Zone
from handlers.kit.errors import Refusal
from handlers.kit.roles import RoleName
from handlers.kit.texts import address
from rooms import names

Email = Annotated[str, address()]
Theme = Literal["system", "light", "dark"]
Clock = Literal["24h", "12h"]


class EmailTaken(Refusal):
    """An account with this email address already exists."""


class Me(Nothing):
    """Ask for your own user."""


class SettingsChange(Struct, forbid_unknown_fields=True, kw_only=True):
    """The settings to change; others stay as they are."""

    theme: Theme | UnsetType = UNSET
    clock: Clock | UnsetType = UNSET
    read_receipts: bool | UnsetType = UNSET


class UserSettings(View):
    """A user's preferences; with `read_receipts`, other users see what the user has read."""

    theme: Theme = "system"
    clock: Clock = "24h"
    read_receipts: bool = True


class UpdateProfile(Change):
    """The fields to change; others stay as they are, also in `settings`."""

    first_name: Name | UnsetType = UNSET
    last_name: Name | UnsetType = UNSET
    language: Annotated[str, Meta(pattern=r"^[a-z]{2}$(?!\n)")] | UnsetType = UNSET
    time_zone: Zone | UnsetType = UNSET
    settings: SettingsChange | UnsetType = UNSET


class ListPeople(Request):
    """Ask for the names of users."""

    user_ids: Annotated[list[Id], Meta(min_length=1, max_length=200)]


class PersonView(View):
    """A user's name and picture; the picture is at `/pictures/<picture_id>`.

    The picture of a user who blocked you is null.
    """

    first_name: str
    last_name: str
    picture_id: str | None = None


class PeopleView(View):
    """Names by user id, without users who do not exist."""

    people: dict[str, PersonView]


class UserView(View):
    """A user, as only that user sees it."""

    PERSONAL: ClassVar[Personal] = {
        "id": {
            "email": "",
            "first_name": "Deleted",
            "last_name": "account",
            "language": "en",
            "time_zone": "UTC",
            "settings": {},
            "picture_id": None,
        }
    }
    PLAIN: ClassVar[tuple[str, ...]] = ("roles",)

    id: str
    email: str
    email_verified: bool
    first_name: str
    last_name: str
    language: str
    time_zone: str
    roles: list[RoleName]
    settings: UserSettings
    picture_id: str | None
    created_at: datetime
    updated_at: datetime


class _AboutUser(Event):
    user: UserView

    def key(self) -> str:
        return f"user:{self.user.id}"


class UserCreated(_AboutUser):
    """A user signed up."""

    NAME: ClassVar[str] = "USER_CREATED"


class UserUpdated(_AboutUser):
    """A user's profile changed."""

    NAME: ClassVar[str] = "USER_UPDATED"
    NAMESPACE: ClassVar[str | None] = "/profile"

    def rooms(self) -> tuple[str, ...]:
        return (names.user(self.user.id),)
