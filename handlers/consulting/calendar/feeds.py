"""The private address of a user's calendar, and what it contains.

The address ends with a keyed hash of the user's id and a serial number. So no secret is stored, and
a new serial number makes the old address invalid.
"""

import hmac
from datetime import timedelta

from handlers.consulting.booking import public as bookings
from handlers.consulting.booking.contracts import BookingView
from handlers.consulting.calendar import reminders
from handlers.consulting.calendar.contracts import CalendarView, FeedRenewed, FileView, GetFile
from handlers.kit.contract import Empty
from handlers.kit.errors import NotFound
from handlers.kit.rules import KitRules
from handlers.kit.transaction import Transaction
from handlers.platform.profile import public as profiles
from storage.consulting import calendar as store

COMING_MAX, ASKED_MAX, PAST_MAX = 200, 50, 50
PAST = timedelta(days=60)
SHOWN = ("requested", "approved", "completed")


def get_calendar(tx: Transaction) -> CalendarView:
    row = store.find_settings(tx, tx.actor.id)
    return CalendarView(
        day=row.remind_day,
        hour=row.remind_hour,
        minutes=row.remind_minutes,
        feed_url=_url_of(tx, tx.actor.id, row.feed_serial),
    )


def renew_feed(tx: Transaction) -> Empty:
    row = reminders.lock_settings(tx)
    row.feed_serial += 1
    store.keep_settings(tx, row)
    tx.publish(FeedRenewed(user_id=tx.actor.id))
    return Empty()


def get_feed(tx: Transaction, user_id: str, key: str) -> str:
    """The calendar of a user; raises NotFound for a wrong or replaced address."""
    row = store.find_settings(tx, user_id)
    expected = _key_of(tx, user_id, row.feed_serial)
    if not hmac.compare_digest(expected.encode(), key.encode()):
        raise NotFound
    if profiles.is_closed(profiles.get_user(tx, user_id)):
        raise NotFound
    return bookings.calendar_of(tx, user_id, _list_shown(tx, user_id))


def get_file(tx: Transaction, ask: GetFile) -> FileView:
    """Raises NotFound."""
    booking = bookings.get_booking(tx, ask.booking_id)
    text = bookings.calendar_of(tx, tx.actor.id, [booking])
    return FileView(name="booking.ics", text=text)


def _list_shown(tx: Transaction, user_id: str) -> list[BookingView]:
    coming = bookings.list_part(tx, user_id, "coming", COMING_MAX)
    asked = bookings.list_part(tx, user_id, "asked", ASKED_MAX)
    past = bookings.list_part(tx, user_id, "past", PAST_MAX)
    recent = [one for one in past if one.ends_at > tx.now - PAST]
    return [one for one in (*coming, *asked, *recent) if one.status in SHOWN]


def _url_of(tx: Transaction, user_id: str, serial: int) -> str:
    public_url = tx.rules.of(KitRules).public_url.rstrip("/")
    return f"{public_url}/calendar/{user_id}/{_key_of(tx, user_id, serial)}.ics"


def _key_of(tx: Transaction, user_id: str, serial: int) -> str:
    return tx.kernel.keys.fingerprint("calendar feed", user_id, str(serial))[:40]
