"""What is said about bookings."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from handlers.kit.contract import (
    Change,
    Cursor,
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

Status = Literal["requested", "approved", "rejected", "cancelled", "expired", "completed", "missed"]
StepStatus = Literal[
    "requested",
    "approved",
    "rescheduled",
    "rejected",
    "cancelled",
    "expired",
    "completed",
    "missed",
]
Party = Literal["student", "consultant"]
Part = Literal["asked", "coming", "past"]
ReasonCode = Literal["hour_withdrawn", "call_not_held", "account_closing", "account_closed"]
"""A reason that the server itself gives for cancelling a booking."""
Note = Annotated[str, prose(2_000)]


class TopicNotOffered(Refusal):
    """This consultant does not offer this topic."""


class Overlaps(Refusal):
    """You already have a booking at this time."""


class NotAvailable(Refusal):
    """This consultant is not available for calls right now."""


class TooManyOpenRequests(Refusal):
    """You have the maximum number of unanswered requests to this consultant."""


class WrongState(Refusal):
    """The status of this booking does not allow this."""


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
    """All bookings, or those with one status, newest first; or one `part`, by the hour.

    The parts are requests, coming hours, and past hours; past hours come newest first.
    """

    status: Status | None = None
    part: Part | None = None
    limit: Limit = 50
    before: Cursor | None = None


class GetHistory(Request):
    booking_id: Id


class ReopenCall(Change, kw_only=True):
    booking_id: Id


class AgreedTermsView(View):
    """The consultant's terms from the time of the request.

    The student can move the booking, and cancel it without a fee, until `change_until_minutes`
    before the start; with 0, the student can move it until the end. Fees are in percent of the
    price of the minimum duration.
    """

    change_until_minutes: int
    late_cancellation_percent: int
    no_show_percent: int


class BookingView(View):
    """One booking, with the topic's name, rate and minimum duration from the time of the request.

    `terms` are those from the same time; null for older bookings. `fee_percent` is the fee for a
    late cancellation or a missed hour that the student owes, of the price of the minimum duration.
    `reason` belongs to the latest change; `/booking history` has all of them. `attended` names the
    parties who came: the student to the waiting room or the call, the consultant to either.
    """

    PERSONAL: ClassVar[Personal] = {
        "student_id": {"note": "", "reason": None},
        "consultant_id": {"topic_name": "Deleted", "reason": None},
    }
    WRITTEN_BY: ClassVar[tuple[str, ...]] = ("student_id",)
    id: str
    student_id: str
    consultant_id: str
    topic_id: str
    topic_name: str
    block_id: str | None
    starts_at: datetime
    ends_at: datetime
    status: Status
    note: str
    reason: str | None
    hourly_rate: Money
    minimal_duration_minutes: int
    terms: AgreedTermsView | None
    fee_percent: int
    hold_expires_at: datetime | None
    version: int
    attended: list[Party]


class StepView(View):
    """One change of a booking: who made it (null: the server), when, and why."""

    PERSONAL: ClassVar[Personal] = {"actor_id": {"reason": None}}
    WRITTEN_BY: ClassVar[tuple[str, ...]] = ("actor_id",)
    version: int
    status: StepStatus
    actor_id: str | None
    reason: str | None
    at: datetime
    starts_at: datetime


class HistoryView(View):
    """The changes of a booking, oldest first."""

    steps: list[StepView]


class BookingPage(View):
    """Bookings, as of event `seq` of the user's own room."""

    bookings: list[BookingView]
    next: str | None
    seq: int


class AboutBooking(Event):
    """An event about one booking."""

    NAMESPACE: ClassVar[str | None] = "/booking"
    booking: BookingView

    def key(self) -> str:
        return f"booking:{self.booking.id}"

    def rooms(self) -> tuple[str, ...]:
        return (names.user(self.booking.student_id), names.user(self.booking.consultant_id))


class BookingRequested(AboutBooking):
    """A student requested a booking; its place is held until the consultant answers."""

    NAME: ClassVar[str] = "BOOKING_REQUESTED"


class ChatBookingRequested(Event):
    """A student requested a booking inside a conversation."""

    NAME: ClassVar[str] = "CHAT_BOOKING_REQUESTED"
    conversation_id: str
    booking: BookingView

    def key(self) -> str:
        return f"booking:{self.booking.id}"


class BookingApproved(AboutBooking):
    """The consultant approved the booking."""

    NAME: ClassVar[str] = "BOOKING_APPROVED"


class BookingCreated(AboutBooking):
    """A booking was confirmed; follows BOOKING_APPROVED. `at_once`: by the terms."""

    NAME: ClassVar[str] = "BOOKING_CREATED"
    PRIVATE: ClassVar[tuple[str, ...]] = ("at_once",)
    at_once: bool = False


class BookingRejected(AboutBooking):
    """The consultant rejected the booking."""

    NAME: ClassVar[str] = "BOOKING_REJECTED"


class BookingCancelled(AboutBooking):
    """One side cancelled the booking, its block was withdrawn, or its call did not take place."""

    NAME: ClassVar[str] = "BOOKING_CANCELLED"
    PRIVATE: ClassVar[tuple[str, ...]] = ("reason_code",)
    reason_code: ReasonCode | None = None
    """The reason, if the server gave it."""


class BookingRescheduled(AboutBooking):
    """The booking moved to another block."""

    NAME: ClassVar[str] = "BOOKING_RESCHEDULED"


class BookingExpired(AboutBooking):
    """The consultant did not answer the request in time."""

    NAME: ClassVar[str] = "BOOKING_EXPIRED"


class BookingCompleted(AboutBooking):
    """A participant ended the call of the booking, or its hour ended after a call."""

    NAME: ClassVar[str] = "BOOKING_COMPLETED"


class BookingMissed(AboutBooking):
    """The hour of an approved booking ended without a call; `attended` says who was there."""

    NAME: ClassVar[str] = "BOOKING_MISSED"


class _Due(Event):
    booking_id: str

    def key(self) -> str:
        return f"booking:{self.booking_id}"


class HoldDue(_Due):
    """It is time to check whether a request was answered."""

    NAME: ClassVar[str] = "BOOKING_HOLD_DUE"


class BlockEndDue(_Due):
    """The block of an approved booking has ended."""

    NAME: ClassVar[str] = "BOOKING_BLOCK_END_DUE"
