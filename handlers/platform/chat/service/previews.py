"""What a linked page says, shown with the message that links it, and gone with its text.

A preview tells what a text said. So only those hear of it who were in when that was said, and it
goes when the text does, also from the events that told it.
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
    """A text that is neither taken back nor hidden; so it stays, as who hears it, to the commit."""
    found = chat_messages.find_message(tx, message_id)
    if found is None:
        return None
    store.lock_conversation(tx, found.conversation_id)
    row = chat_messages.lock_message(tx, message_id)
    if row is None or row.deleted or row.hidden or row.kind != "text":
        return None
    return message_view(row)


def show_preview(tx: Transaction, message: MessageView, preview: LinkPreview) -> None:
    """Show it with a message that `lock_text` gave, and tell the conversation.

    Somebody may have come in since that was said. They would learn of it, so it is not shown. Nor
    is a page that says what may not be said here.
    """
    if not is_clean(tx, preview.title, preview.description or "", preview.site_name or ""):
        return
    row = chat_messages.lock_message(tx, message.id)
    if row is None or message.preview == preview or _has_newcomers(tx, row):
        return
    row.preview = preview
    chat_messages.update_message(tx, row)
    tx.publish(_told(row, preview))


def drop_preview(tx: Transaction, row: MessageRow) -> None:
    """The text is about to change or to go, and what it linked with it."""
    if row.preview is None:
        return
    row.preview = None
    untell_preview(tx, row)


def untell_preview(tx: Transaction, row: MessageRow) -> None:
    """Forget what it linked wherever that was told."""
    gone = _told(row, None)
    rewrite_subject(tx, gone.about(), encode(gone))


def _has_newcomers(tx: Transaction, row: MessageRow) -> bool:
    """Whether somebody is in only since after it was said."""
    here = chat_members.list_members(tx, [row.conversation_id])
    return any(one.from_seq > row.said_seq for one in here)


def _told(row: MessageRow, preview: LinkPreview | None) -> MessagePreviewed:
    return MessagePreviewed(conversation_id=row.conversation_id, message_id=row.id, preview=preview)
