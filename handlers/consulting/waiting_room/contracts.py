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
    """One student's place: `ahead` students come first, and the wait is about `eta_s` seconds."""

    booking_id: str
    block_id: str
    student_id: str
    position: int
    ahead: int
    eta_s: int
    entered_at: datetime


class QueueView(View):
    """A block's queue, as of event `seq` of the consultant's own room."""

    places: list[PlaceView]
    seq: int


class _ToConsultant(Event):
    """An event for the consultant of the block."""

    NAMESPACE: ClassVar[str | None] = "/waiting-room"
    PRIVATE: ClassVar[tuple[str, ...]] = ("consultant_id",)
    place: PlaceView
    consultant_id: str

    def key(self) -> str:
        return f"block:{self.place.block_id}"

    def rooms(self) -> tuple[str, ...]:
        return (names.user(self.consultant_id),)


class WaitingRoomEntered(_ToConsultant):
    """A student entered the waiting room."""

    NAME: ClassVar[str] = "WAITING_ROOM_ENTERED"


class WaitingRoomLeft(_ToConsultant):
    """A student left, lost the connection or was admitted, or the waiting room closed."""

    NAME: ClassVar[str] = "WAITING_ROOM_LEFT"


class WaitingRoomMoved(Event):
    """The position or the expected wait of a student changed."""

    NAME: ClassVar[str] = "WAITING_ROOM_MOVED"
    NAMESPACE: ClassVar[str | None] = "/waiting-room"
    place: PlaceView

    def key(self) -> str:
        return f"block:{self.place.block_id}"

    def rooms(self) -> tuple[str, ...]:
        return (names.user(self.place.student_id),)


class PlaceDue(Event):
    """It is time to check whether a disconnected student came back."""

    NAME: ClassVar[str] = "WAITING_PLACE_DUE"
    booking_id: str

    def key(self) -> str:
        return f"place:{self.booking_id}"


class RoomCloseDue(Event):
    """The block has ended, and its waiting room closes."""

    NAME: ClassVar[str] = "WAITING_ROOM_CLOSE_DUE"
    block_id: str

    def key(self) -> str:
        return f"block:{self.block_id}"


class MorePlacesLeft(InstanceLost):
    """A dead instance left more waiting devices than one transaction can handle."""

    NAME: ClassVar[str] = "WAITING_MORE_PLACES_LEFT"
