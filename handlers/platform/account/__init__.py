"""Changes to your own account: proofs of identity, email address, password and picture."""

from handlers.kit.domain import Domain, Subscription
from handlers.kit.kernel import Actor
from handlers.kit.transaction import Transaction
from rooms import names


def rooms_of(tx: Transaction, actor: Actor) -> list[Subscription]:
    """Users receive the events about their own account."""
    return [Subscription(names.user(actor.id))]


account = Domain("account", "/account", rooms_of=rooms_of)
