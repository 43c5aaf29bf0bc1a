"""Who meets whom and when: requests, answers, changes. Never how many places there are."""

from handlers.consulting.booking.rules import BookingRules
from handlers.kit.context import Transaction
from handlers.kit.domain import Belonging, Domain
from handlers.kit.kernel import Actor
from rooms import names


def rooms_of(tx: Transaction, actor: Actor) -> list[Belonging]:
    """One's own bookings, in either role."""
    return [Belonging(names.user(actor.id))]


booking = Domain("booking", "/booking", rooms_of=rooms_of, rules=BookingRules)
