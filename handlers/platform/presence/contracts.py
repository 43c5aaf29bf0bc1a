"""Requests, views and events of presence."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from handlers.kit.contract import Change, Event, Id, Request, View
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


class StateView(View):
    online: bool
    status: Status
    last_seen_at: datetime | None


class StatesView(View):
    """Presence by user id, without users who do not exist."""

    states: dict[str, StateView]


class PresenceEphemeral(msgspec.Struct):
    user_id: str
    at: datetime


class StatusEphemeral(msgspec.Struct):
    user_id: str
    status: Status


class _OfUser(Event):
    user_id: str
    at: datetime

    def key(self) -> str:
        return f"user:{self.user_id}"


class UserOnline(_OfUser):
    """A user's first device connected. Stored for consumers; watchers get an ephemeral event."""

    NAME: ClassVar[str] = "USER_ONLINE"


class UserOffline(_OfUser):
    """A user's last device did not come back within the grace period."""

    NAME: ClassVar[str] = "USER_OFFLINE"


class InstanceGone(InstanceLost):
    """The grace period for the users of a dead instance to reconnect is over."""

    NAME: ClassVar[str] = "PRESENCE_INSTANCE_GONE"
