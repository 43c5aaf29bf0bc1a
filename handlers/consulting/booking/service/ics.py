"""Bookings in the iCalendar format (RFC 5545), and as invitations in mails (iTIP, RFC 5546)."""

from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

import icalendar
import msgspec

from handlers.consulting.booking.contracts import BookingView
from handlers.kit.rules import KitRules
from handlers.kit.transaction import Transaction
from handlers.platform.profile import public as profiles

PRODUCT = "-//Parley//Bookings//EN"
REFRESH = timedelta(minutes=15)
Method = Literal["REQUEST", "CANCEL"]
"""What a mail asks of a calendar program: to add or move a booking, or to remove it."""
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
    method: Method | None = None,
    invitation: Invitation | None = None,
) -> str:
    """A calendar as text: to fetch, or with a `method` and an `invitation` for a mail."""
    calendar = icalendar.Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", method or "PUBLISH")
    if method is None:
        calendar.add("x-wr-calname", "Parley")
        calendar.add("refresh-interval", REFRESH, parameters={"value": "DURATION"})
    for entry in entries:
        calendar.add_component(_event_of(entry, now, method, invitation))
    text: str = calendar.to_ical().decode()
    return text


def _event_of(
    entry: Entry, now: datetime, method: Method | None, invitation: Invitation | None
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


def calendar_of(
    tx: Transaction,
    user_id: str,
    shown: list[BookingView],
    method: Method | None = None,
    invitation: Invitation | None = None,
) -> str:
    """Bookings of a user as a calendar of theirs."""
    others = [_other(one, user_id) for one in shown]
    people = profiles.list_users(tx, sorted(set(others)))
    public_url = tx.rules.of(KitRules).public_url.rstrip("/")
    entries = []
    for one, other in zip(shown, others, strict=True):
        person = people.get(other)
        name = f"{person.first_name} {person.last_name}".strip() if person else ""
        url = f"{public_url}/#/bookings/{one.id}"
        entries.append(Entry(booking=one, other=name, url=url))
    return render(entries, now=tx.now, method=method, invitation=invitation)


def _other(booking: BookingView, user_id: str) -> str:
    return booking.consultant_id if booking.student_id == user_id else booking.student_id
