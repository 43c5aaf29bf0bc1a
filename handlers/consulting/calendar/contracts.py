"""What is said about reminders and calendars."""

from datetime import datetime
from typing import ClassVar, Literal

from msgspec import UNSET, UnsetType

from handlers.kit.contract import Change, ChangeNothing, Event, Id, Nothing, Request, ToUser, View

Reminder = Literal["day", "hour", "minutes"]
"""A day, an hour, or ten minutes before the start."""


class GetCalendar(Nothing):
    """Ask for your reminders and the address of your calendar."""


class SetReminders(Change, kw_only=True):
    """Fields that are left out stay as they are."""

    day: bool | UnsetType = UNSET
    hour: bool | UnsetType = UNSET
    minutes: bool | UnsetType = UNSET


class RenewFeed(ChangeNothing):
    """Ask for a new address of your calendar; the old one stops working."""


class GetFile(Request):
    booking_id: Id


class RemindersView(View):
    """Which reminders you get: a day, an hour and ten minutes before each of your bookings."""

    day: bool
    hour: bool
    minutes: bool


class CalendarView(RemindersView, kw_only=True):
    """Your reminders, and the private address at which calendar programs fetch your bookings.

    Whoever knows the address can read your calendar; `renew_feed` replaces it.
    """

    feed_url: str


class FileView(View):
    """A calendar file (iCalendar, RFC 5545) with one booking."""

    PLAIN: ClassVar[tuple[str, ...]] = ("name",)
    name: str
    text: str


class RemindersSet(ToUser):
    """The user switched reminders on or off."""

    NAME: ClassVar[str] = "REMINDERS_SET"
    NAMESPACE: ClassVar[str | None] = "/calendar"
    PRIVATE: ClassVar[tuple[str, ...]] = ("user_id",)
    reminders: RemindersView


class FeedRenewed(ToUser):
    """The address of the user's calendar changed; `/calendar get` answers the new one."""

    NAME: ClassVar[str] = "CALENDAR_FEED_RENEWED"
    NAMESPACE: ClassVar[str | None] = "/calendar"


class BookingReminder(ToUser):
    """A booking of the user begins soon."""

    NAME: ClassVar[str] = "BOOKING_REMINDER"
    NAMESPACE: ClassVar[str | None] = "/calendar"
    PRIVATE: ClassVar[tuple[str, ...]] = ("user_id",)
    booking_id: str
    starts_at: datetime
    other_id: str
    """The other party of the booking."""
    reminder: Reminder


class ReminderDue(Event):
    """It is time to remind both parties of a booking that starts at `starts_at`."""

    NAME: ClassVar[str] = "BOOKING_REMINDER_DUE"
    booking_id: str
    starts_at: datetime
    reminder: Reminder

    def key(self) -> str:
        return f"booking:{self.booking_id}"
