"""Notifications, in the app and by mail. Not the delivery of mails (send)."""

from handlers.kit.domain import Domain, Subscription
from handlers.kit.kernel import Actor
from handlers.kit.transaction import Transaction
from handlers.platform.notifications.rules import NotificationRules
from rooms import names


def rooms_of(tx: Transaction, actor: Actor) -> list[Subscription]:
    """The user's own room, which receives their notifications."""
    return [Subscription(names.user(actor.id))]


notifications = Domain(
    "notifications", "/notifications", rooms_of=rooms_of, rules=NotificationRules
)
