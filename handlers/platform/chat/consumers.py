"""How timers show in conversations."""

from handlers.kit.transaction import Transaction
from handlers.platform.chat import chat
from handlers.platform.chat.contracts.marks import MarkDue
from handlers.platform.chat.service import marks


@chat.consumer(MarkDue)
def tell_the_latest_mark(tx: Transaction, event: MarkDue) -> None:
    """A mark waited for its turn."""
    marks.tell_due(tx, event)
