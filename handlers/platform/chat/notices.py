"""Notices to users about conversations."""

from collections.abc import Iterator

from handlers.kit.notices import Notice
from handlers.kit.transaction import Transaction
from handlers.platform.chat import chat
from handlers.platform.chat.contracts.messages import MessageMentioned


@chat.notifies(MessageMentioned, "mentioned")
def notify_mentioned(tx: Transaction, event: MessageMentioned) -> Iterator[Notice]:
    """A message mentions users. The notice omits its text, because the message may be deleted."""
    data = {
        "conversation_id": event.conversation_id,
        "message_id": event.message_id,
        "sender_id": event.sender_id,
    }
    for user_id in event.user_ids:
        yield Notice(to=user_id, link=f"/chats/{event.conversation_id}", data=data)
