"""What the filter says to what people say, before it is kept."""

from handlers.kit.filter import TextRefused
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.messages import MessageNoticed
from storage.platform.chat.messages import MessageRow


def check_shown(tx: Transaction, text: str) -> None:
    """A name or a sign is seen by all who are in, and has no queue: TextRefused for any hit."""
    if not is_clean(tx, text):
        raise TextRefused


def is_clean(tx: Transaction, *texts: str) -> bool:
    """Whether there is no hit at all in what is shown here without anybody looking at it."""
    try:
        return not tx.kernel.filter.check(*texts)
    except TextRefused:
        return False


def tell_noticed(tx: Transaction, row: MessageRow, hit: str) -> None:
    """Let somebody look at a message, if there is a hit."""
    if hit:
        event = MessageNoticed(conversation_id=row.conversation_id, message_id=row.id, hit=hit)
        tx.publish(event)
