"""Hides messages from everyone, and restores them.

A hidden message keeps its row with its text, file and reactions. Its earlier events and stored
answers are rewritten without content, as for a deleted message. The event that restores it contains
only its id. Clients then fetch the message, and get it only if they could read it before.
"""

from msgspec import structs

from handlers.kit.contract import encode
from handlers.kit.errors import NotFound
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.messages import MessageHidden, MessageRestored, MessageView
from handlers.platform.chat.service.history import get_readable
from handlers.platform.chat.service.media import upload_of
from handlers.platform.chat.service.mentions import publish_mentions
from handlers.platform.chat.service.messages import retract
from handlers.platform.chat.service.previews import redact_preview
from handlers.platform.chat.service.views import message_view, reactions_of
from storage.events.idempotency import rewrite_answers
from storage.platform.chat import messages as chat_messages
from storage.platform.chat.messages import MessageRow


def hide(tx: Transaction, message_id: str) -> None:
    """Hide a message; a hidden or deleted message does not change."""
    row = chat_messages.lock_message(tx, message_id)
    if row is None or row.deleted or row.hidden:
        return
    row.hidden = True
    chat_messages.update_message(tx, row)
    redact_preview(tx, row)
    retract(tx, MessageHidden(message=message_view(row)))
    publish_mentions(tx, row, row.mentions)


def restore(tx: Transaction, message_id: str) -> None:
    """Show a hidden message again; any other message does not change."""
    row = chat_messages.lock_message(tx, message_id)
    if row is None or not row.hidden:
        return
    row.hidden = False
    chat_messages.update_message(tx, row)
    view = message_view(row, reactions_of(tx, [row.id])[row.id])
    rewrite_answers(tx, view.about() or "", encode(view))
    tx.publish(MessageRestored(conversation_id=row.conversation_id, message_id=row.id))
    publish_mentions(tx, row)


def hold_readable(tx: Transaction, message_id: str) -> MessageView:
    """A message that the actor can read, or could if it were not hidden, with its original content.

    It is locked until the commit. Raises NotFound, also for deleted and system messages.
    """
    get_readable(tx, message_id)
    message = hold_original(tx, message_id)
    if message is None or message.deleted or message.kind == "system":
        raise NotFound
    return message


def hold_original(tx: Transaction, message_id: str) -> MessageView | None:
    """A message with its original content even if hidden, locked until the commit."""
    row = chat_messages.lock_message(tx, message_id)
    return None if row is None else _original(row)


def find_original(tx: Transaction, message_id: str) -> MessageView | None:
    """A message with its original content even if hidden."""
    row = chat_messages.find_message(tx, message_id)
    return None if row is None else _original(row)


def find_original_upload(tx: Transaction, message_id: str) -> str:
    """The id of the upload in a message even if hidden; raises NotFound."""
    row = chat_messages.find_message(tx, message_id)
    if row is None:
        raise NotFound
    return upload_of(row)


def _original(row: MessageRow) -> MessageView:
    shown = message_view(structs.replace(row, hidden=False))
    return structs.replace(shown, hidden=row.hidden)
