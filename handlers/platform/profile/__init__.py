"""User profiles: name, language, time zone, roles and settings. Not authentication (auth)."""

from handlers.kit.domain import Domain, Subscription
from handlers.kit.kernel import Actor
from handlers.kit.roles import Role
from handlers.kit.transaction import Transaction
from rooms import names


def rooms_of(tx: Transaction, actor: Actor) -> list[Subscription]:
    """The user's own room, which receives changes to their profile."""
    return [Subscription(names.user(actor.id))]


STUDENT = "student"
"""The role of each new user."""
profile = Domain("profile", "/profile", rooms_of=rooms_of, roles=(Role(STUDENT, "domain"),))
