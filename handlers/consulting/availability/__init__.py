"""Availability: weekly schedules, blocks and their places, waiting lists, "available now".

This domain knows nothing about bookings: its callers hold places under ids of their own.
"""

from handlers.consulting.availability.rules import AvailabilityRules
from handlers.consulting.consultants import public as consultants
from handlers.consulting.consultants.contracts import consultant_room
from handlers.kit.domain import Domain, Subscription
from handlers.kit.kernel import Actor
from handlers.kit.transaction import Transaction
from handlers.platform.blocking import public as blocking
from rooms import names


def rooms_of(tx: Transaction, actor: Actor) -> list[Subscription]:
    """The user's private room for offers, and the consultant's public room."""
    return [Subscription(names.user(actor.id)), Subscription(consultant_room(actor.id))]


def may_watch(tx: Transaction, actor: Actor | None, room: str) -> int | None:
    """Allow all but blocked users to watch a consultant's blocks, with a replay of missed events.

    The events contain no more than `list_blocks`, which also returns withdrawn blocks. There is no
    replay for a consultant who stopped or whose account was deleted.
    """
    kind, _, consultant_id = room.partition(":")
    if kind != "consultant" or not consultants.exists(tx, consultant_id):
        return None
    if actor is not None and blocking.list_blockers(tx, actor.id, [consultant_id]):
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
