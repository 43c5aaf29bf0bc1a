"""Reminders of bookings, calendar files, and the private address of a calendar to subscribe to."""

from handlers.kit.domain import Domain, Subscription
from handlers.kit.kernel import Actor
from handlers.kit.rates import Rate
from handlers.kit.transaction import Transaction
from rooms import names

FEEDS = Rate("calendars", "fetches of calendars", burst=60, per_s=1, of="address")


def rooms_of(tx: Transaction, actor: Actor) -> list[Subscription]:
    """The user's own room, for reminders and changed settings."""
    return [Subscription(names.user(actor.id))]


calendar = Domain("calendar", "/calendar", rooms_of=rooms_of, rates=(FEEDS,))
