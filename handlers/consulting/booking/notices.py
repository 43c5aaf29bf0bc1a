"""Notifications and mails for the student and the consultant of a booking.

Each says with whom, about what, when, and the reason of this change if one was given. It names only
the other party, so it can be cleared when that account is deleted.
"""

from collections.abc import Iterator
from datetime import datetime

from handlers.consulting.booking import booking
from handlers.consulting.booking.contracts import (
    AboutBooking,
    BookingApproved,
    BookingCancelled,
    BookingCreated,
    BookingExpired,
    BookingMissed,
    BookingRejected,
    BookingRequested,
    BookingRescheduled,
    BookingView,
)
from handlers.consulting.booking.reasons import TRANSLATED
from handlers.consulting.booking.service.ics import Invitation, Method, calendar_of
from handlers.kit.notices import CalendarPart, Notice, Person, Sentence
from handlers.kit.transaction import Transaction
from handlers.kit.wording import Passage
from handlers.platform.profile import public as profiles
from handlers.platform.send import public as mails

ABOUT = ("other", "topic", "starts_at")
"""The other party, the name of the topic, and the start in the reader's time zone."""
DELETED_TOPIC = booking.sentence("deleted_topic")


@booking.notifies(
    BookingRequested, "booking_requested", importance="mail", says=(*ABOUT, "answer_by")
)
def tell_of_the_request(tx: Transaction, event: BookingRequested) -> Iterator[Notice]:
    """The consultant has a new request, to answer before its hold expires.

    It does not quote the student's note, which exports give to nobody else.
    """
    asked = event.booking
    answer_by = asked.hold_expires_at or asked.starts_at
    yield _notice(tx, event, asked.consultant_id, answer_by, answer_by=answer_by)


@booking.notifies(BookingApproved, "booking_approved", importance="mail", says=(*ABOUT, "reason"))
@booking.notifies(BookingRejected, "booking_rejected", importance="mail", says=(*ABOUT, "reason"))
def tell_of_the_answer(
    tx: Transaction, event: BookingApproved | BookingRejected
) -> Iterator[Notice]:
    """The consultant answered the student's request."""
    method: Method | None = "REQUEST" if isinstance(event, BookingApproved) else None
    yield _notice(tx, event, event.booking.student_id, calendar=method, reason=_reason(event))


@booking.notifies(BookingCreated, "booking_made", importance="mail", says=ABOUT)
def tell_of_the_new_booking(tx: Transaction, event: BookingCreated) -> Iterator[Notice]:
    """The consultant's terms approved a request at once."""
    made = event.booking
    if event.at_once:
        yield _notice(tx, event, made.consultant_id, made.ends_at, calendar="REQUEST")


@booking.notifies(BookingCancelled, "booking_cancelled", importance="mail", says=(*ABOUT, "reason"))
def tell_of_the_cancellation(tx: Transaction, event: BookingCancelled) -> Iterator[Notice]:
    """Notify each side that did not cancel the booking: both, if the server cancelled it."""
    actor_id = tx.cause.actor_id if tx.cause else None
    code = event.reason_code
    reason = TRANSLATED[code] if code is not None else _reason(event)
    for user_id in _both(event):
        if user_id != actor_id:
            yield _notice(tx, event, user_id, calendar="CANCEL", reason=reason)


@booking.notifies(
    BookingRescheduled, "booking_rescheduled", importance="mail", says=(*ABOUT, "reason")
)
def tell_of_the_move(tx: Transaction, event: BookingRescheduled) -> Iterator[Notice]:
    """Notify both sides of the new time, which the mail also carries to their calendars."""
    for user_id in _both(event):
        moved = event.booking
        calendar: Method | None = "REQUEST" if moved.status == "approved" else None
        reason = _reason(event)
        yield _notice(tx, event, user_id, moved.ends_at, calendar=calendar, reason=reason)


@booking.notifies(BookingExpired, "booking_expired", importance="mail", says=ABOUT)
def tell_of_the_expiry(tx: Transaction, event: BookingExpired) -> Iterator[Notice]:
    """The student's request was not answered in time."""
    yield _notice(tx, event, event.booking.student_id)


@booking.notifies(
    BookingExpired, "booking_expired", importance="mail", says=ABOUT, text="booking_unanswered"
)
def tell_of_the_unanswered_request(tx: Transaction, event: BookingExpired) -> Iterator[Notice]:
    """The consultant missed a request, which they may not even have seen."""
    yield _notice(tx, event, event.booking.consultant_id)


@booking.notifies(BookingMissed, "booking_missed", importance="mail", says=ABOUT)
def tell_of_the_missed_hour(tx: Transaction, event: BookingMissed) -> Iterator[Notice]:
    """Notify both sides that the hour ended without a call."""
    for user_id in _both(event):
        yield _notice(tx, event, user_id)


def _notice(
    tx: Transaction,
    event: AboutBooking,
    to: str,
    expires_at: datetime | None = None,
    *,
    calendar: Method | None = None,
    **values: Passage | Sentence | datetime,
) -> Notice:
    """A notification about a booking, with a link to it.

    Its mail is sent until `expires_at`. With `calendar`, it asks the reader's calendar program to
    add the booking, to move it, or to remove it.
    """
    about = event.booking
    other = about.consultant_id if to == about.student_id else about.student_id
    return Notice(
        to=to,
        link=f"/bookings/{about.id}",
        data={"booking_id": about.id, "status": about.status},
        values={
            "other": Person(other),
            "topic": _topic(tx, about),
            "starts_at": about.starts_at,
            **values,
        },
        expires_at=expires_at,
        calendar=CalendarPart(calendar, _calendar(tx, about, to, calendar)) if calendar else None,
    )


def _calendar(tx: Transaction, about: BookingView, to: str, method: Method) -> str:
    reader = profiles.get_user(tx, to).email
    invitation = Invitation(organizer=mails.get_sender(tx), attendee=reader)
    return calendar_of(tx, to, [about], method, invitation)


def _topic(tx: Transaction, about: BookingView) -> str | Sentence:
    """The name of the topic, which is gone with the account of its consultant."""
    consultant = profiles.get_user(tx, about.consultant_id)
    return DELETED_TOPIC if profiles.is_closed(consultant) else about.topic_name


def _reason(event: AboutBooking) -> Passage:
    """The reason of this change; empty if none was given."""
    return Passage(event.booking.reason or "")


def _both(event: AboutBooking) -> tuple[str, str]:
    return (event.booking.student_id, event.booking.consultant_id)
