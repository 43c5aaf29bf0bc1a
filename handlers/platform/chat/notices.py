"""Notices to users about conversations."""

from collections.abc import Iterator

from handlers.kit.notices import Notice, Withdrawal
from handlers.kit.transaction import Transaction
from handlers.platform.chat import chat
from handlers.platform.chat.contracts.messages import MessageMentioned


@chat.notifies(MessageMentioned, "mentioned")
def notify_mentioned(tx: Transaction, event: MessageMentioned) -> Iterator[Notice | Withdrawal]:
    """A message mentions users. The notice omits its text, because the message may be deleted."""
    data = {
        "conversation_id": event.conversation_id,
        "message_id": event.message_id,
        "sender_id": event.sender_id,
    }
    link, subject = f"/chats/{event.conversation_id}", f"message:{event.message_id}"
    for user_id in event.user_ids:
        yield Notice(to=user_id, link=link, data=data, subject=subject)
    for user_id in sorted(event.withdrawn_ids):
        yield Withdrawal(of=user_id, subject=subject)
