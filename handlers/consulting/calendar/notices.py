"""Notifications and mails about bookings that begin soon."""

from collections.abc import Iterator

from handlers.consulting.calendar import calendar
from handlers.consulting.calendar.contracts import BookingReminder
from handlers.kit.notices import Notice, Person
from handlers.kit.transaction import Transaction

SAYS = ("other", "starts_at")


@calendar.notifies(BookingReminder, "booking_tomorrow", importance="mail", says=SAYS)
def remind_a_day_before(tx: Transaction, event: BookingReminder) -> Iterator[Notice]:
    """The booking begins in a day."""
    if event.reminder == "day":
        yield _notice(event)


@calendar.notifies(BookingReminder, "booking_in_an_hour", importance="mail", says=SAYS)
def remind_an_hour_before(tx: Transaction, event: BookingReminder) -> Iterator[Notice]:
    """The booking begins in an hour."""
    if event.reminder == "hour":
        yield _notice(event)


@calendar.notifies(BookingReminder, "booking_in_minutes", says=SAYS)
def remind_minutes_before(tx: Transaction, event: BookingReminder) -> Iterator[Notice]:
    """The booking begins in ten minutes."""
    if event.reminder == "minutes":
        yield _notice(event)


def _notice(event: BookingReminder) -> Notice:
    return Notice(
        to=event.user_id,
        link=f"/bookings/{event.booking_id}",
        data={"booking_id": event.booking_id},
        values={"other": Person(event.other_id), "starts_at": event.starts_at},
    )
