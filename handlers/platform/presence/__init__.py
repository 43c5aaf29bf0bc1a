"""Users' online status. Not their activity."""

from handlers.kit.domain import Domain, Subscription
from handlers.kit.kernel import Actor
from handlers.kit.transaction import Transaction
from handlers.platform.presence.contracts import PresenceEphemeral, StatusEphemeral
from rooms import names


def rooms_of(tx: Transaction, actor: Actor) -> list[Subscription]:
    """The user's own room, so that all their devices show whether they are invisible."""
    return [Subscription(names.user(actor.id))]


presence = Domain(
    "presence",
    "/presence",
    rooms_of=rooms_of,
    ephemeral_events={
        "USER_ONLINE": PresenceEphemeral,
        "USER_OFFLINE": PresenceEphemeral,
        "status_changed": StatusEphemeral,
    },
)
