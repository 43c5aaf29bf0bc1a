"""Who a person is: name, language, zone, roles, settings. Never how they sign in."""

from handlers.kit.command import Belonging, Domain
from handlers.kit.context import Transaction
from handlers.kit.kernel import Actor
from rooms import names


def rooms_of(tx: Transaction, actor: Actor) -> list[Belonging]:
    """Everybody hears of changes to themselves."""
    return [Belonging(names.user(actor.id))]


profile = Domain("profile", "/profile", rooms_of=rooms_of)
