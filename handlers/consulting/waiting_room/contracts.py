"""What is said about waiting."""

from datetime import datetime
from typing import ClassVar, Literal

from handlers.kit.contract import Change, Event, Id, Request, View
from handlers.kit.errors import Refusal
from handlers.kit.life import InstanceLost
from rooms import names

ConsultantState = Literal["expected", "late", "here", "in_call"]
RemovalReason = Literal["left", "lost", "closed", "moved", "cancelled", "completed", "missed"]
EndReason = Literal["lost", "closed", "moved", "cancelled", "completed", "missed"]


class TooEarly(Refusal):
    """The waiting room is not open yet."""


class EnterRoom(Change, kw_only=True):
    booking_id: Id


class LeaveRoom(Change, kw_only=True):
    booking_id: Id


class GetStand(Request):
    booking_id: Id


class GetQueue(Request):
    block_id: Id


class AdmitStudent(Change, kw_only=True):
    booking_id: Id


class PlaceView(View):
    """One student's place: `ahead` students come first, and the wait is about `eta_s` seconds.

    `away` says that none of the student's devices is connected.
    """

    booking_id: str
    block_id: str
    student_id: str
    position: int
    ahead: int
    eta_s: int
    entered_at: datetime
    away: bool


class StandView(View):
    """Your place, and what the consultant does, as of event `seq` of your own room.

    The consultant is `expected`, `late`, `here` at the queue, or `in_call`, also with somebody of
    another hour.
    """

    place: PlaceView
    consultant: ConsultantState
    seq: int


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
    """A student left, was lost or admitted, or the waiting room closed."""

    NAME: ClassVar[str] = "WAITING_ROOM_LEFT"


class WaitingRoomChanged(_ToConsultant):
    """A student who waits lost the last connection (`away`), or is back."""

    NAME: ClassVar[str] = "WAITING_ROOM_CHANGED"


class _ToStudent(Event):
    """An event for the student of a place."""

    NAMESPACE: ClassVar[str | None] = "/waiting-room"
    place: PlaceView

    def key(self) -> str:
        return f"block:{self.place.block_id}"

    def rooms(self) -> tuple[str, ...]:
        return (names.user(self.place.student_id),)


class WaitingRoomMoved(_ToStudent):
    """The position or the expected wait of a student changed."""

    NAME: ClassVar[str] = "WAITING_ROOM_MOVED"


class WaitingRoomConsultantChanged(_ToStudent):
    """The consultant came, left, is late, or is in a call or no longer in one."""

    NAME: ClassVar[str] = "WAITING_ROOM_CONSULTANT_CHANGED"
    consultant: ConsultantState


class WaitingRoomPassedOver(_ToStudent):
    """The consultant admitted somebody who came after the student."""

    NAME: ClassVar[str] = "WAITING_ROOM_PASSED_OVER"


class WaitingRoomEnded(_ToStudent):
    """The student's place ended: they did not return in time (`lost`), the hour ended (`closed`),
    or the booking was moved, cancelled, completed or missed."""

    NAME: ClassVar[str] = "WAITING_ROOM_ENDED"
    reason: EndReason


class PlaceDue(Event):
    """It is time to check whether a disconnected student came back."""

    NAME: ClassVar[str] = "WAITING_PLACE_DUE"
    booking_id: str

    def key(self) -> str:
        return f"place:{self.booking_id}"


class LateDue(Event):
    """It is time to check whether the consultant came."""

    NAME: ClassVar[str] = "WAITING_ROOM_LATE_DUE"
    block_id: str

    def key(self) -> str:
        return f"block:{self.block_id}"


class RoomCloseDue(Event):
    """The block has ended, and its waiting room closes."""

    NAME: ClassVar[str] = "WAITING_ROOM_CLOSE_DUE"
    block_id: str

    def key(self) -> str:
        return f"block:{self.block_id}"


class MorePlacesLeft(InstanceLost):
    """A dead instance left more waiting devices than one transaction can handle."""

    NAME: ClassVar[str] = "WAITING_MORE_PLACES_LEFT"
