"""What a person is told about their affairs, in the app and by mail. Never how a mail is sent."""

from handlers.kit.domain import Domain, Subscription
from handlers.kit.kernel import Actor
from handlers.kit.transaction import Transaction
from handlers.platform.notifications.rules import NotificationRules
from rooms import names


def rooms_of(tx: Transaction, actor: Actor) -> list[Subscription]:
    """One's own notifications."""
    return [Subscription(names.user(actor.id))]


notifications = Domain(
    "notifications", "/notifications", rooms_of=rooms_of, rules=NotificationRules
)
