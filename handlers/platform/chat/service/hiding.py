"""Messages that are shown to nobody, and shown again.

A hidden message keeps its row: its text, its file, its signs. All that was told of it, in events
and in kept answers, is rewritten as if it had been taken back. When it is shown again, the event
names it without a word of it: everybody asks for it, and gets what they could read before.
"""

from msgspec import structs

from handlers.kit.contract import encode
from handlers.kit.errors import NotFound
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.messages import MessageHidden, MessageRestored, MessageView
from handlers.platform.chat.service.history import get_readable
from handlers.platform.chat.service.media import upload_of
from handlers.platform.chat.service.messages import retract
from handlers.platform.chat.service.previews import untell_preview
from handlers.platform.chat.service.views import message_view, reactions_of
from storage.events.idempotency import rewrite_answers
from storage.platform.chat import messages as chat_messages
from storage.platform.chat.messages import MessageRow


def hide(tx: Transaction, message_id: str) -> None:
    """Show a message to nobody; one that is hidden or taken back stays as it is."""
    row = chat_messages.lock_message(tx, message_id)
    if row is None or row.deleted or row.hidden:
        return
    row.hidden = True
    chat_messages.update_message(tx, row)
    untell_preview(tx, row)
    retract(tx, MessageHidden(message=message_view(row)))


def restore(tx: Transaction, message_id: str) -> None:
    """Show a hidden message again; any other stays as it is."""
    row = chat_messages.lock_message(tx, message_id)
    if row is None or not row.hidden:
        return
    row.hidden = False
    chat_messages.update_message(tx, row)
    view = message_view(row, reactions_of(tx, [row.id])[row.id])
    rewrite_answers(tx, view.about() or "", encode(view))
    tx.publish(MessageRestored(conversation_id=row.conversation_id, message_id=row.id))


def hold_readable(tx: Transaction, message_id: str) -> MessageView:
    """What somebody said and the actor may read, or might if it were not hidden; raises NotFound.

    It is as it was said, and stays so until the commit.
    """
    get_readable(tx, message_id)
    said = hold_said(tx, message_id)
    if said is None or said.deleted or said.kind == "system":
        raise NotFound
    return said


def hold_said(tx: Transaction, message_id: str) -> MessageView | None:
    """A message as it was said, hidden or not, held until the commit."""
    row = chat_messages.lock_message(tx, message_id)
    return None if row is None else _as_said(row)


def find_said(tx: Transaction, message_id: str) -> MessageView | None:
    """A message as it was said, hidden or not."""
    row = chat_messages.find_message(tx, message_id)
    return None if row is None else _as_said(row)


def find_upload_said(tx: Transaction, message_id: str) -> str:
    """The upload that a message shows, or would if it were not hidden; raises NotFound."""
    row = chat_messages.find_message(tx, message_id)
    if row is None:
        raise NotFound
    return upload_of(row)


def _as_said(row: MessageRow) -> MessageView:
    shown = message_view(structs.replace(row, hidden=False))
    return structs.replace(shown, hidden=row.hidden)
