"""How timers show in conversations."""

from handlers.chat import chat
from handlers.chat.contracts.marks import MarkDue
from handlers.chat.service import marks
from handlers.kit.context import Transaction


@chat.consumer(MarkDue)
def tell_the_latest_mark(tx: Transaction, event: MarkDue) -> None:
    """A mark waited for its turn."""
    marks.tell_due(tx, event)
