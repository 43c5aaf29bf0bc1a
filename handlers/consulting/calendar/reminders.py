"""Reminders: set when a booking is confirmed or moved, checked when they are due.

A timer only says that it is time. Whether somebody is reminded depends on the booking and on the
settings of that moment, so that a late timer reminds nobody of a past or cancelled hour.
"""

from datetime import timedelta

from handlers.consulting.booking import public as bookings
from handlers.consulting.booking.contracts import BookingView
from handlers.consulting.calendar.contracts import (
    BookingReminder,
    Reminder,
    ReminderDue,
    RemindersSet,
    RemindersView,
    SetReminders,
)
from handlers.kit.contract import given
from handlers.kit.transaction import Transaction
from handlers.platform.profile import public as profiles
from storage.consulting import calendar as store
from storage.consulting.calendar import SettingsRow

BEFORE: dict[Reminder, timedelta] = {
    "day": timedelta(days=1),
    "hour": timedelta(hours=1),
    "minutes": timedelta(minutes=10),
}
LATE = timedelta(minutes=8)
"""A reminder that is due this long ago, after a time without a server, is not sent any more."""


def set_reminders(tx: Transaction, ask: SetReminders) -> RemindersView:
    row = lock_settings(tx)
    before = _view_of(row)
    for name, wanted in given(ask).items():
        setattr(row, f"remind_{name}", wanted)
    view = _view_of(row)
    if view != before:
        store.keep_settings(tx, row)
        tx.publish(RemindersSet(user_id=tx.actor.id, reminders=view))
    return view


def lock_settings(tx: Transaction) -> SettingsRow:
    """The actor's settings; the lock on the user makes concurrent changes wait."""
    profiles.lock_user(tx, tx.actor.id)
    return store.find_settings(tx, tx.actor.id)


def set_timers(tx: Transaction, booking: BookingView) -> None:
    """Set the reminders of an approved booking that are still ahead, and cancel the others."""
    for reminder, before in BEFORE.items():
        at, key = booking.starts_at - before, f"remind:{booking.id}:{reminder}"
        if booking.status == "approved" and booking.block_id is not None and at > tx.now:
            due = ReminderDue(booking_id=booking.id, starts_at=booking.starts_at, reminder=reminder)
            tx.publish_later(due, at, key)
        else:
            tx.cancel_timer(key)


def remind(tx: Transaction, due: ReminderDue) -> None:
    """Remind both parties who want it, if the booking still begins then."""
    booking = bookings.lock_booking(tx, due.booking_id)
    if booking is None or booking.status != "approved" or booking.starts_at != due.starts_at:
        return
    at = booking.starts_at - BEFORE[due.reminder]
    if tx.now < at:  # the timer can fire too early if the clock went back
        set_timers(tx, booking)
    elif tx.now <= at + LATE:
        for user_id in (booking.student_id, booking.consultant_id):
            _remind(tx, booking, due.reminder, user_id)


def _remind(tx: Transaction, booking: BookingView, reminder: Reminder, user_id: str) -> None:
    wanted: bool = getattr(_view_of(store.find_settings(tx, user_id)), reminder)
    if not wanted:
        return
    parties = (booking.student_id, booking.consultant_id)
    tx.publish(
        BookingReminder(
            booking_id=booking.id,
            starts_at=booking.starts_at,
            other_id=next(one for one in parties if one != user_id),
            reminder=reminder,
            user_id=user_id,
        )
    )


def _view_of(row: SettingsRow) -> RemindersView:
    return RemindersView(day=row.remind_day, hour=row.remind_hour, minutes=row.remind_minutes)
