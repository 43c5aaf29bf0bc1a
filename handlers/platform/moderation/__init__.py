"""Moderation: a text filter, flags from users, a queue for moderators, and an audit log."""

from handlers.kit.domain import Domain, Subscription
from handlers.kit.kernel import Actor
from handlers.kit.roles import Role
from handlers.kit.transaction import Transaction
from handlers.platform.moderation.contracts import MODERATORS_ROOM
from handlers.platform.moderation.filter import open_filter
from handlers.platform.moderation.rules import ModerationRules
from handlers.platform.profile import public as profiles
from rooms import names


def rooms_of(tx: Transaction, actor: Actor) -> list[Subscription]:
    """The user's own room, and for moderators the room of all moderators.

    The role is read in the same snapshot as the head of the room. The event of a later revocation
    therefore has a higher sequence number, and removes the member.
    """
    own = Subscription(names.user(actor.id))
    roles = profiles.get_user(tx, actor.id).roles
    return [own, Subscription(MODERATORS_ROOM)] if MODERATOR in roles else [own]


MODERATOR = "moderator"
ADMIN = "admin"
moderation = Domain(
    "moderation",
    "/moderation",
    rooms_of=rooms_of,
    roles=(Role(MODERATOR, "operator"), Role(ADMIN, "operator")),
    opens_filter=open_filter,
    rules=ModerationRules,
)
