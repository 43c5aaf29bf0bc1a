"""Notifications for the student and the consultant of a booking."""

from collections.abc import Iterator

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
)
from handlers.kit.notices import Notice, Person
from handlers.kit.transaction import Transaction


@booking.notifies(BookingRequested, "booking_requested", says=("student", "starts_at"))
def tell_of_the_request(tx: Transaction, event: BookingRequested) -> Iterator[Notice]:
    """The consultant has a new request."""
    asked = event.booking
    yield _notice(event, asked.consultant_id, student=Person(asked.student_id))


@booking.notifies(
    BookingApproved, "booking_approved", importance="mail", says=("consultant", "starts_at")
)
@booking.notifies(
    BookingRejected, "booking_rejected", importance="mail", says=("consultant", "starts_at")
)
def tell_of_the_answer(
    tx: Transaction, event: BookingApproved | BookingRejected
) -> Iterator[Notice]:
    """The consultant answered the student's request."""
    answered = event.booking
    yield _notice(event, answered.student_id, consultant=Person(answered.consultant_id))


@booking.notifies(BookingCreated, "booking_made", importance="mail", says=("student", "starts_at"))
def tell_of_the_new_booking(tx: Transaction, event: BookingCreated) -> Iterator[Notice]:
    """The consultant's terms approved a request at once."""
    made = event.booking
    if tx.cause is not None and tx.cause.actor_id == made.student_id:
        yield _notice(event, made.consultant_id, student=Person(made.student_id))


@booking.notifies(BookingCancelled, "booking_cancelled", importance="mail", says=("starts_at",))
def tell_of_the_cancellation(tx: Transaction, event: BookingCancelled) -> Iterator[Notice]:
    """Notify each side that did not cancel the booking: both, if the server cancelled it."""
    actor_id = tx.cause.actor_id if tx.cause else None
    for user_id in _both(event):
        if user_id != actor_id:
            yield _notice(event, user_id)


@booking.notifies(BookingRescheduled, "booking_rescheduled", importance="mail", says=("starts_at",))
def tell_of_the_move(tx: Transaction, event: BookingRescheduled) -> Iterator[Notice]:
    """Notify both sides of the new time."""
    for user_id in _both(event):
        yield _notice(event, user_id)


@booking.notifies(BookingExpired, "booking_expired", says=("starts_at",))
def tell_of_the_expiry(tx: Transaction, event: BookingExpired) -> Iterator[Notice]:
    """The student's request was not answered in time."""
    yield _notice(event, event.booking.student_id)


@booking.notifies(BookingMissed, "booking_missed", importance="mail", says=("starts_at",))
def tell_of_the_missed_hour(tx: Transaction, event: BookingMissed) -> Iterator[Notice]:
    """Notify both sides that the hour ended without a call."""
    for user_id in _both(event):
        yield _notice(event, user_id)


def _notice(event: AboutBooking, to: str, **people: Person) -> Notice:
    """A notification with a link to the booking and its start."""
    about = event.booking
    return Notice(
        to=to,
        link=f"/bookings/{about.id}",
        data={"booking_id": about.id, "status": about.status},
        values={"starts_at": about.starts_at, **people},
    )


def _both(event: AboutBooking) -> tuple[str, str]:
    return (event.booking.student_id, event.booking.consultant_id)
