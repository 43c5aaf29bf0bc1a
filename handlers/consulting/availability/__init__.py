"""Availability: weekly schedules, blocks and their places, waiting lists, "available now".

It knows nothing about bookings: a caller holds a place under an id of its own.
"""

from handlers.consulting.availability.rules import AvailabilityRules
from handlers.consulting.consultants import public as consultants
from handlers.kit.domain import Domain, Subscription
from handlers.kit.kernel import Actor
from handlers.kit.transaction import Transaction
from rooms import names


def rooms_of(tx: Transaction, actor: Actor) -> list[Subscription]:
    """One's own offers, and one's own public room."""
    return [Subscription(names.user(actor.id)), Subscription(names.consultant(actor.id))]


def may_watch(tx: Transaction, actor: Actor | None, room: str) -> int | None:
    """Anybody may watch a consultant's blocks, and hears again what they missed.

    These events say no more than `list_blocks`, in which withdrawn blocks stay. Of a consultant who
    stopped, or whose account is gone, nothing is told again.
    """
    kind, _, consultant_id = room.partition(":")
    if kind != "consultant" or not consultants.exists(tx, consultant_id):
        return None
    if consultants.is_active(tx, consultant_id):
        return 0
    return tx.head("/availability", room) + 1


availability = Domain(
    "availability",
    "/availability",
    visitors=True,
    rooms_of=rooms_of,
    may_watch=may_watch,
    rules=AvailabilityRules,
)
