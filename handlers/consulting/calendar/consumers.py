"""Consumers that set and send reminders."""

from handlers.consulting.booking.contracts import (
    AboutBooking,
    BookingCancelled,
    BookingCompleted,
    BookingCreated,
    BookingMissed,
    BookingRescheduled,
)
from handlers.consulting.calendar import calendar, reminders
from handlers.consulting.calendar.contracts import ReminderDue
from handlers.kit.transaction import Transaction


@calendar.consumer(
    BookingCreated, BookingRescheduled, BookingCancelled, BookingCompleted, BookingMissed
)
def keep_the_reminders(tx: Transaction, event: AboutBooking) -> None:
    """Set the reminders of a booking that was confirmed or moved; cancel those of an ended one."""
    reminders.set_timers(tx, event.booking)


@calendar.consumer(ReminderDue)
def remind_of_the_booking(tx: Transaction, event: ReminderDue) -> None:
    """Remind both parties of a booking that begins soon."""
    reminders.remind(tx, event)
