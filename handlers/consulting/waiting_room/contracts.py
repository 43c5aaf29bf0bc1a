"""What is said about waiting."""

from datetime import datetime
from typing import ClassVar

from handlers.kit.contract import Change, Event, Id, Request, View
from handlers.kit.errors import Refusal
from handlers.kit.life import InstanceLost
from rooms import names


class TooEarly(Refusal):
    """The waiting room is not open yet."""


class EnterRoom(Change, kw_only=True):
    booking_id: Id


class LeaveRoom(Change, kw_only=True):
    booking_id: Id


class GetQueue(Request):
    block_id: Id


class AdmitStudent(Change, kw_only=True):
    booking_id: Id


class PlaceView(View):
    """One student's place: `ahead` others come first, in about `eta_s` seconds it is their turn."""

    booking_id: str
    block_id: str
    student_id: str
    position: int
    ahead: int
    eta_s: int
    entered_at: datetime


class QueueView(View):
    """A block's queue, and the number of the consultant's room that it reflects."""

    places: list[PlaceView]
    seq: int


class _ToConsultant(Event):
    """Said to the block's consultant."""

    NAMESPACE: ClassVar[str | None] = "/waiting-room"
    PRIVATE: ClassVar[tuple[str, ...]] = ("consultant_id",)
    place: PlaceView
    consultant_id: str

    def key(self) -> str:
        return f"block:{self.place.block_id}"

    def rooms(self) -> tuple[str, ...]:
        return (names.user(self.consultant_id),)


class WaitingRoomEntered(_ToConsultant):
    """A student waits."""

    NAME: ClassVar[str] = "WAITING_ROOM_ENTERED"


class WaitingRoomLeft(_ToConsultant):
    """A student waits no more: left, lost, admitted, or the room closed."""

    NAME: ClassVar[str] = "WAITING_ROOM_LEFT"


class WaitingRoomMoved(Event):
    """A waiting student's position or wait changed."""

    NAME: ClassVar[str] = "WAITING_ROOM_MOVED"
    NAMESPACE: ClassVar[str | None] = "/waiting-room"
    place: PlaceView

    def key(self) -> str:
        return f"block:{self.place.block_id}"

    def rooms(self) -> tuple[str, ...]:
        return (names.user(self.place.student_id),)


class PlaceDue(Event):
    """It is time to look whether a lost student came back."""

    NAME: ClassVar[str] = "WAITING_PLACE_DUE"
    booking_id: str

    def key(self) -> str:
        return f"place:{self.booking_id}"


class RoomCloseDue(Event):
    """The block is over, and its waiting room with it."""

    NAME: ClassVar[str] = "WAITING_ROOM_CLOSE_DUE"
    block_id: str

    def key(self) -> str:
        return f"block:{self.block_id}"


class MorePlacesLeft(InstanceLost):
    """A dead instance left more waiting devices than one transaction sees to."""

    NAME: ClassVar[str] = "WAITING_MORE_PLACES_LEFT"
