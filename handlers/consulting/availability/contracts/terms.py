"""What is said about the terms of consultants."""

from typing import Annotated, ClassVar

from msgspec import UNSET, Meta, UnsetType

from handlers.consulting.consultants.contracts import consultant_room
from handlers.kit.contract import Change, Event, Id, Request, View
from handlers.kit.errors import Refusal


class DeadlinePassed(Refusal):
    """It is too late for this; `details.until` is when it was still possible."""


class TooFarAhead(Refusal):
    """This block cannot be requested yet; `details.from` is when it can."""


Minutes = Annotated[int, Meta(ge=0, le=20_160)]
Percent = Annotated[int, Meta(ge=0, le=100)]


class SetTerms(Change, kw_only=True):
    """Fields that are left out stay as they are; null restores the platform's default."""

    min_notice_minutes: Minutes | UnsetType | None = UNSET
    max_days_ahead: Annotated[int, Meta(ge=1, le=400)] | UnsetType | None = UNSET
    buffer_minutes: Annotated[int, Meta(ge=0, le=120)] | UnsetType | None = UNSET
    approves_at_once: bool | UnsetType | None = UNSET
    open_requests_max: Annotated[int, Meta(ge=1, le=60)] | UnsetType | None = UNSET
    change_until_minutes: Minutes | UnsetType | None = UNSET
    late_cancellation_percent: Percent | UnsetType | None = UNSET
    no_show_percent: Percent | UnsetType | None = UNSET


class GetTerms(Request):
    consultant_id: Id


class TermsView(View):
    """The terms under which a consultant takes bookings.

    A block can be requested until `min_notice_minutes` before its start and from `max_days_ahead`
    days before it. `buffer_minutes` after a booked block stay free. A student can have
    `open_requests_max` unanswered requests. Students can move bookings, and cancel them without a
    fee, until `change_until_minutes` before the start. Fees are in percent of the price of the
    minimum duration.
    """

    consultant_id: str
    min_notice_minutes: int
    max_days_ahead: int
    buffer_minutes: int
    approves_at_once: bool
    open_requests_max: int
    change_until_minutes: int
    late_cancellation_percent: int
    no_show_percent: int


class BookingTermsSet(Event):
    """A consultant changed the terms; existing bookings keep the terms that were agreed."""

    NAME: ClassVar[str] = "BOOKING_TERMS_SET"
    NAMESPACE: ClassVar[str | None] = "/availability"
    terms: TermsView

    def key(self) -> str:
        return f"consultant:{self.terms.consultant_id}"

    def rooms(self) -> tuple[str, ...]:
        return (consultant_room(self.terms.consultant_id),)
