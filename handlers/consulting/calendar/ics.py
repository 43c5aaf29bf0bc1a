"""Bookings in the iCalendar format (RFC 5545), and as invitations in mails (iTIP, RFC 5546)."""

from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

import icalendar
import msgspec

from handlers.consulting.booking.contracts import BookingView

PRODUCT = "-//Parley//Bookings//EN"
REFRESH = timedelta(minutes=15)
Method = Literal["PUBLISH", "REQUEST", "CANCEL"]
STATUS = {"requested": "TENTATIVE", "approved": "CONFIRMED", "completed": "CONFIRMED"}
"""The status of an entry, by the status of its booking; others are cancelled."""


class Entry(msgspec.Struct, kw_only=True, frozen=True):
    """A booking in somebody's calendar: with whom, and where to find it."""

    booking: BookingView
    other: str
    url: str


class Invitation(msgspec.Struct, kw_only=True, frozen=True):
    """The addresses of an invitation: who sends it, and who is invited."""

    organizer: str
    attendee: str


def render(
    entries: list[Entry],
    *,
    now: datetime,
    method: Method = "PUBLISH",
    invitation: Invitation | None = None,
) -> str:
    """A calendar as text; `invitation` is for the methods REQUEST and CANCEL."""
    calendar = icalendar.Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", method)
    if method == "PUBLISH":
        calendar.add("x-wr-calname", "Parley")
        calendar.add("refresh-interval", REFRESH, parameters={"value": "DURATION"})
    for entry in entries:
        calendar.add_component(_event_of(entry, now, method, invitation))
    text: str = calendar.to_ical().decode()
    return text


def _event_of(
    entry: Entry, now: datetime, method: Method, invitation: Invitation | None
) -> icalendar.Event:
    booking = entry.booking
    event = icalendar.Event()
    event.add("uid", f"{booking.id}@{urlsplit(entry.url).hostname}")
    event.add("dtstamp", now)
    event.add("dtstart", booking.starts_at)
    event.add("dtend", booking.ends_at)
    event.add("summary", f"{booking.topic_name} · {entry.other}" if entry.other else "Parley")
    event.add("description", entry.url)
    event.add("url", entry.url)
    event.add("sequence", booking.version)
    cancelled = method == "CANCEL"
    event.add("status", "CANCELLED" if cancelled else STATUS.get(booking.status, "CANCELLED"))
    if invitation is not None:
        event.add("organizer", f"mailto:{invitation.organizer}")
        parameters = {"partstat": "ACCEPTED", "rsvp": "FALSE"}
        event.add("attendee", f"mailto:{invitation.attendee}", parameters=parameters)
    return event
