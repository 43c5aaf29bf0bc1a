"""Requests, views and events of presence."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from handlers.kit.contract import Change, Id, Nothing, Request, Seq, ToUser, UserEvent, View
from handlers.kit.life import InstanceLost


def presence_room(user_id: str) -> str:
    """The room of those who watch a user's presence; ephemeral events only."""
    return f"presence:{user_id}"


Status = Literal["active", "away", "busy"]
People = Annotated[list[Id], Meta(min_length=1, max_length=500)]


class WatchPeople(Request):
    user_ids: People


class UnwatchPeople(Request):
    user_ids: People


class SetStatus(Change, kw_only=True):
    status: Status


class SetInvisible(Change, kw_only=True):
    """`on` hides whether you are online; otherwise others see it again."""

    on: bool = True


class GetOwnPresence(Nothing):
    """Ask for your own presence."""


class StateView(View):
    """What others see of a user's presence; an invisible user seems to be offline."""

    online: bool
    status: Status
    last_seen_at: datetime | None


class StatesView(View):
    """Presence by user id, without users who do not exist."""

    states: dict[str, StateView]


class OwnPresenceView(View):
    """Your own status, and whether you are invisible to others."""

    PLAIN: ClassVar[tuple[str, ...]] = ("status",)
    status: Status
    invisible: bool


class OwnPresenceStateView(OwnPresenceView, kw_only=True):
    """Your own presence, as of event `seq` of your own room."""

    seq: Seq


class PresenceEphemeral(msgspec.Struct):
    user_id: str
    at: datetime


class StatusEphemeral(msgspec.Struct):
    user_id: str
    status: Status


class _OfUser(UserEvent):
    at: datetime


class UserOnline(_OfUser):
    """A user's first device connected. Stored for consumers; watchers get an ephemeral event."""

    NAME: ClassVar[str] = "USER_ONLINE"


class UserOffline(_OfUser):
    """A user's last device did not come back within the grace period."""

    NAME: ClassVar[str] = "USER_OFFLINE"


class _OwnPresence(ToUser):
    """An event for the devices of one user only."""

    NAMESPACE: ClassVar[str | None] = "/presence"
    PLAIN: ClassVar[tuple[str, ...]] = ("status",)
    status: Status
    invisible: bool


class VisibilityChanged(_OwnPresence):
    """You became invisible, or visible again, on all your devices."""

    NAME: ClassVar[str] = "VISIBILITY_CHANGED"


class HiddenStatusSet(_OwnPresence):
    """You set your status while you are invisible; others see it when you are visible again."""

    NAME: ClassVar[str] = "HIDDEN_STATUS_SET"


class InstanceGone(InstanceLost):
    """The grace period for the users of a dead instance to reconnect is over."""

    NAME: ClassVar[str] = "PRESENCE_INSTANCE_GONE"
