"""Applies the text filter to texts in conversations."""

from handlers.kit.filter import TextRefused
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.messages import MessageNoticed
from storage.platform.chat.messages import MessageRow


def require_clean(tx: Transaction, text: str) -> None:
    """Raises TextRefused for any match. Moderators do not review these texts: names and emojis."""
    if not is_clean(tx, text):
        raise TextRefused


def is_clean(tx: Transaction, *texts: str) -> bool:
    """Whether the filter finds no match at all, neither to refuse nor to flag."""
    try:
        return not tx.kernel.filter.check(*texts)
    except TextRefused:
        return False


def publish_noticed(tx: Transaction, row: MessageRow, hit: str) -> None:
    """Send a message with a filter match to the moderators."""
    if hit:
        event = MessageNoticed(conversation_id=row.conversation_id, message_id=row.id, hit=hit)
        tx.publish(event)
