"""Bookings: requests, approvals and changes. Not the number of places (availability)."""

from handlers.consulting.booking.rules import BookingRules
from handlers.kit.domain import Domain, Subscription
from handlers.kit.kernel import Actor
from handlers.kit.transaction import Transaction
from rooms import names


def rooms_of(tx: Transaction, actor: Actor) -> list[Subscription]:
    """The user's own room, for bookings in either role."""
    return [Subscription(names.user(actor.id))]


booking = Domain("booking", "/booking", rooms_of=rooms_of, rules=BookingRules)
