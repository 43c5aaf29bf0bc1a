"""Consumers that publish read and delivery marks which were gathered or held back."""

from handlers.kit.transaction import Transaction
from handlers.platform.chat import chat
from handlers.platform.chat.contracts.marks import MarkDue, MarksDue
from handlers.platform.chat.service import gathering, marks
from handlers.platform.presence.contracts import VisibilityChanged


@chat.consumer(MarkDue)
def tell_the_latest_mark(tx: Transaction, event: MarkDue) -> None:
    """Publish a mark that was held back to limit its rate."""
    marks.publish_due(tx, event)


@chat.consumer(MarksDue)
def tell_the_gathered_marks(tx: Transaction, event: MarksDue) -> None:
    """Publish the marks of a large conversation that were gathered since the last time."""
    gathering.publish_gathered(tx, event)


@chat.consumer(VisibilityChanged, filter=lambda rules, event: not event.invisible)
def tell_the_held_marks(tx: Transaction, event: VisibilityChanged) -> None:
    """Publish what the devices of a user received while the user was invisible."""
    marks.publish_held(tx, event.user_id)
