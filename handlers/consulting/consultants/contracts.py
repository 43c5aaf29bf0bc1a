"""What is said about consultants and topics."""

from typing import Annotated, ClassVar, Literal

from msgspec import UNSET, Meta, UnsetType

from handlers.kit.contract import (
    END,
    Change,
    Cursor,
    Event,
    Id,
    Limit,
    LongText,
    Money,
    Name,
    Personal,
    Request,
    View,
    Zone,
)
from handlers.kit.errors import Refusal


def consultant_room(consultant_id: str) -> str:
    """The public room of one consultant."""
    return f"consultant:{consultant_id}"


Gender = Literal["female", "male", "nonbinary", "undisclosed"]
LanguageCodes = Annotated[
    list[Annotated[str, Meta(pattern=r"^[a-z]{2}" + END)]], Meta(min_length=1, max_length=20)
]
CountryCode = Annotated[str, Meta(pattern=r"^[A-Z]{2}" + END)]
Age = Annotated[int, Meta(ge=16, le=120)]
Minutes = Annotated[int, Meta(ge=1, le=60)]


class AlreadyConsultant(Refusal):
    """You are already a consultant."""


class NotAConsultant(Refusal):
    """Become a consultant first."""


class BecomeConsultant(Change, kw_only=True):
    """`picture_id` is the id of an image that you have uploaded."""

    about_me: LongText
    languages: LanguageCodes
    country: CountryCode
    time_zone: Zone
    age: Age | UnsetType | None = UNSET
    gender: Gender | UnsetType | None = UNSET
    picture_id: Id | UnsetType | None = UNSET


class UpdateConsultant(Change, kw_only=True):
    about_me: LongText | UnsetType = UNSET
    languages: LanguageCodes | UnsetType = UNSET
    country: CountryCode | UnsetType = UNSET
    time_zone: Zone | UnsetType = UNSET
    age: Age | UnsetType | None = UNSET
    gender: Gender | UnsetType | None = UNSET
    picture_id: Id | UnsetType | None = UNSET


class StopConsulting(Change):
    """Stop taking bookings, and disappear from the list of consultants."""


class GetConsultant(Request):
    consultant_id: Id


class WatchConsultant(Request):
    consultant_id: Id


class UnwatchConsultant(Request):
    consultant_id: Id


class ListConsultants(Request):
    limit: Limit = 50
    before: Cursor | None = None


class AddTopic(Change, kw_only=True):
    name: Name
    description: LongText
    hourly_rate: Money
    minimal_duration_minutes: Minutes
    icon_id: Id | UnsetType | None = UNSET


class UpdateTopic(Change, kw_only=True):
    topic_id: Id
    name: Name | UnsetType = UNSET
    description: LongText | UnsetType = UNSET
    hourly_rate: Money | UnsetType = UNSET
    minimal_duration_minutes: Minutes | UnsetType = UNSET
    icon_id: Id | UnsetType | None = UNSET


class RemoveTopic(Change, kw_only=True):
    topic_id: Id


class TopicView(View):
    """A topic that a consultant offers, with its rate; `icon_url` is a path on this server."""

    PERSONAL: ClassVar[Personal] = {
        "consultant_id": {
            "name": "Deleted",
            "description": "",
            "icon_url": None,
            "active": False,
        }
    }
    id: str
    consultant_id: str
    name: str
    description: str
    hourly_rate: Money
    minimal_duration_minutes: int
    icon_url: str | None
    active: bool


class ConsultantView(View):
    """A consultant's public profile; `profile_picture_url` is a path on this server."""

    PERSONAL: ClassVar[Personal] = {
        "id": {
            "first_name": "Deleted",
            "last_name": "account",
            "about_me": "",
            "languages": [],
            "country": "",
            "time_zone": "UTC",
            "age": None,
            "gender": None,
            "profile_picture_url": None,
        }
    }
    PLAIN: ClassVar[tuple[str, ...]] = ("status",)
    id: str
    first_name: str
    last_name: str
    about_me: str
    languages: list[str]
    country: str
    time_zone: str
    age: int | None
    gender: Gender | None
    profile_picture_url: str | None
    status: Literal["pending", "active", "stopped"]
    available_now: bool
    topics: list[TopicView]


class WatchedConsultantView(ConsultantView, kw_only=True):
    """A consultant, as of event `seq` of the consultant's room."""

    seq: int


class ConsultantPage(View):
    consultants: list[ConsultantView]
    next: str | None


class _AboutConsultant(Event):
    NAMESPACE: ClassVar[str | None] = "/consultants"
    consultant: ConsultantView

    def key(self) -> str:
        return f"consultant:{self.consultant.id}"

    def rooms(self) -> tuple[str, ...]:
        return (consultant_room(self.consultant.id),)


class ConsultantOnboarded(_AboutConsultant):
    """A user became a consultant."""

    NAME: ClassVar[str] = "CONSULTANT_ONBOARDED"


class ConsultantProfileUpdated(_AboutConsultant):
    """A consultant's profile changed."""

    NAME: ClassVar[str] = "CONSULTANT_PROFILE_UPDATED"


class ConsultantDeactivated(_AboutConsultant):
    """A consultant stopped taking bookings."""

    NAME: ClassVar[str] = "CONSULTANT_DEACTIVATED"


class _AboutTopic(Event):
    NAMESPACE: ClassVar[str | None] = "/consultants"
    topic: TopicView

    def key(self) -> str:
        return f"consultant:{self.topic.consultant_id}"

    def rooms(self) -> tuple[str, ...]:
        return (consultant_room(self.topic.consultant_id),)


class TopicAdded(_AboutTopic):
    """A consultant offers a new topic."""

    NAME: ClassVar[str] = "TOPIC_ADDED"


class TopicUpdated(_AboutTopic):
    """A topic changed."""

    NAME: ClassVar[str] = "TOPIC_UPDATED"


class TopicRemoved(_AboutTopic):
    """A topic is no longer offered."""

    NAME: ClassVar[str] = "TOPIC_REMOVED"
