"""What is said about bookings."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from handlers.kit.contract import (
    Change,
    Event,
    Id,
    Limit,
    Money,
    Personal,
    Request,
    Version,
    View,
)
from handlers.kit.errors import Refusal
from handlers.kit.texts import prose
from rooms import names

Status = Literal["requested", "approved", "rejected", "cancelled", "expired", "completed"]
Note = Annotated[str, prose(2_000)]


class TopicNotOffered(Refusal):
    """This consultant does not offer this topic."""


class Overlaps(Refusal):
    """You have a booking at this time already."""


class NotAvailable(Refusal):
    """This consultant takes no calls right now."""


class WrongState(Refusal):
    """This booking is not in a state for that."""


class RequestBooking(Change, kw_only=True):
    block_id: Id
    topic_id: Id
    note: Note = ""


class RequestNow(Change, kw_only=True):
    consultant_id: Id
    topic_id: Id
    note: Note = ""


class RequestBookingInChat(Change, kw_only=True):
    conversation_id: Id
    block_id: Id
    topic_id: Id
    note: Note = ""


class AnswerBooking(Change, kw_only=True):
    """Approve, reject or cancel."""

    booking_id: Id
    reason: Note | None = None
    version: Version | None = None


class RescheduleBooking(Change, kw_only=True):
    booking_id: Id
    block_id: Id
    version: Version | None = None


class GetBooking(Request):
    booking_id: Id


class ListBookings(Request):
    status: Status | None = None
    limit: Limit = 50
    before: Id | None = None


class BookingView(View):
    """One booking, with the rate and minimum as they were when it was asked for."""

    PERSONAL: ClassVar[Personal] = {
        "student_id": {"note": "", "reason": None},
        "consultant_id": {"reason": None},
    }
    WRITTEN_BY: ClassVar[tuple[str, ...]] = ("student_id",)
    id: str
    student_id: str
    consultant_id: str
    topic_id: str
    block_id: str | None
    starts_at: datetime
    ends_at: datetime
    status: Status
    note: str
    reason: str | None
    hourly_rate: Money
    minimal_duration_minutes: int
    hold_expires_at: datetime | None
    version: int


class BookingPage(View):
    """Bookings, and the number of one's own room that they reflect."""

    bookings: list[BookingView]
    next: str | None
    seq: int


class AboutBooking(Event):
    """What every event about a booking has in common."""

    NAMESPACE: ClassVar[str | None] = "/booking"
    booking: BookingView

    def key(self) -> str:
        return f"booking:{self.booking.id}"

    def rooms(self) -> tuple[str, ...]:
        return (names.user(self.booking.student_id), names.user(self.booking.consultant_id))


class BookingRequested(AboutBooking):
    """A student asked for a place, which is held for them."""

    NAME: ClassVar[str] = "BOOKING_REQUESTED"


class ChatBookingRequested(Event):
    """A booking was asked for inside a conversation."""

    NAME: ClassVar[str] = "CHAT_BOOKING_REQUESTED"
    conversation_id: str
    booking: BookingView

    def key(self) -> str:
        return f"booking:{self.booking.id}"


class BookingApproved(AboutBooking):
    """The consultant said yes."""

    NAME: ClassVar[str] = "BOOKING_APPROVED"


class BookingCreated(AboutBooking):
    """An approved booking stands."""

    NAME: ClassVar[str] = "BOOKING_CREATED"


class BookingRejected(AboutBooking):
    """The consultant said no."""

    NAME: ClassVar[str] = "BOOKING_REJECTED"


class BookingCancelled(AboutBooking):
    """Called off by one of the two, its hour withdrawn, or its call at once was not held."""

    NAME: ClassVar[str] = "BOOKING_CANCELLED"


class BookingRescheduled(AboutBooking):
    """It moved to another block."""

    NAME: ClassVar[str] = "BOOKING_RESCHEDULED"


class BookingExpired(AboutBooking):
    """Nobody answered in time."""

    NAME: ClassVar[str] = "BOOKING_EXPIRED"


class BookingCompleted(AboutBooking):
    """Its call was held and is over."""

    NAME: ClassVar[str] = "BOOKING_COMPLETED"


class _Due(Event):
    booking_id: str

    def key(self) -> str:
        return f"booking:{self.booking_id}"


class HoldDue(_Due):
    """It is time to look whether a request was answered."""

    NAME: ClassVar[str] = "BOOKING_HOLD_DUE"


class BlockEndDue(_Due):
    """The block of an approved booking is over."""

    NAME: ClassVar[str] = "BOOKING_BLOCK_END_DUE"
