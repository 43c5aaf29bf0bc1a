"""Link previews of messages.

A preview reveals the text of its message. So it is published only if all members could read that
text, and it is deleted with the text, also from stored events.
"""

from handlers.kit.contract import encode
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.messages import LinkPreview, MessagePreviewed, MessageView
from handlers.platform.chat.service.filtering import is_clean
from handlers.platform.chat.service.views import message_view
from storage.events.log import rewrite_subject
from storage.platform.chat import conversations as store
from storage.platform.chat import members as chat_members
from storage.platform.chat import messages as chat_messages
from storage.platform.chat.messages import MessageRow


def lock_text(tx: Transaction, message_id: str) -> MessageView | None:
    """A text message, locked with its conversation; None if it is deleted, hidden or no text."""
    found = chat_messages.find_message(tx, message_id)
    if found is None:
        return None
    store.lock_conversation(tx, found.conversation_id)
    row = chat_messages.lock_message(tx, message_id)
    if row is None or row.deleted or row.hidden or row.kind != "text":
        return None
    return message_view(row)


def show_preview(tx: Transaction, message: MessageView, preview: LinkPreview) -> None:
    """Add a preview to a message that `lock_text` returned, and publish it.

    It adds nothing if a member joined after the text was written, because they would learn of it,
    or if the filter matches the page.
    """
    if not is_clean(tx, preview.title, preview.description or "", preview.site_name or ""):
        return
    row = chat_messages.lock_message(tx, message.id)
    if row is None or message.preview == preview or _has_newcomers(tx, row):
        return
    row.preview = preview
    chat_messages.update_message(tx, row)
    tx.publish(_preview_event(row, preview))


def drop_preview(tx: Transaction, row: MessageRow) -> None:
    """Remove the preview before the text changes or is deleted."""
    if row.preview is None:
        return
    row.preview = None
    redact_preview(tx, row)


def redact_preview(tx: Transaction, row: MessageRow) -> None:
    """Remove the preview from stored events."""
    event = _preview_event(row, None)
    rewrite_subject(tx, event.about(), encode(event))


def _has_newcomers(tx: Transaction, row: MessageRow) -> bool:
    """Whether a member joined after the message got its current text."""
    here = chat_members.list_members(tx, [row.conversation_id])
    return any(one.from_seq > row.said_seq for one in here)


def _preview_event(row: MessageRow, preview: LinkPreview | None) -> MessagePreviewed:
    return MessagePreviewed(conversation_id=row.conversation_id, message_id=row.id, preview=preview)
