"""Waiting rooms: the order of students and their expected wait. Not the call itself."""

from handlers.consulting.waiting_room.rules import WaitingRoomRules
from handlers.kit.domain import Domain, Subscription
from handlers.kit.kernel import Actor
from handlers.kit.transaction import Transaction
from rooms import names


def rooms_of(tx: Transaction, actor: Actor) -> list[Subscription]:
    """The user's own room: a student's place, a consultant's queue."""
    return [Subscription(names.user(actor.id))]


waiting_room = Domain("waiting_room", "/waiting-room", rooms_of=rooms_of, rules=WaitingRoomRules)
