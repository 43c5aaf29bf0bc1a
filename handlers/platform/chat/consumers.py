"""The consumer of timers for read and delivery marks."""

from handlers.kit.transaction import Transaction
from handlers.platform.chat import chat
from handlers.platform.chat.contracts.marks import MarkDue
from handlers.platform.chat.service import marks


@chat.consumer(MarkDue)
def tell_the_latest_mark(tx: Transaction, event: MarkDue) -> None:
    """Publish a mark that was held back to limit its rate."""
    marks.publish_due(tx, event)
