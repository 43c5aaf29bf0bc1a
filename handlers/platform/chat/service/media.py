"""Pictures, recordings and files in conversations.

The message contains the metadata of the file; the content belongs to the upload. Users who can read
the message can download the file, with links that are signed for each request.
"""

from contextlib import suppress

import msgspec

from handlers.kit.errors import NotFound
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.messages import MediaShared, MediaView, MessageView, SendMedia
from handlers.platform.chat.service.history import get_readable
from handlers.platform.chat.service.messages import find_or_hold, new_sent, post_sent
from handlers.platform.uploads import public as uploads
from storage.platform.chat.messages import MessageRow

UPLOAD = "upload"


def send_media(tx: Transaction, ask: SendMedia) -> MessageView:
    """Send a file, once for each client id of the sender.

    The upload must be the sender's own and not in use. Raises NotFound, Blocked, Conflict, Invalid
    or TextRefused.
    """
    if (sent := find_or_hold(tx, ask)) is not None:
        return sent
    file = uploads.use(tx, ask.upload_id)
    hit = tx.kernel.filter.check(ask.text, file.name) or file.hit or ""
    row = new_sent(tx, ask, "media")
    row.card_kind, row.card_id = UPLOAD, file.id
    shown = MediaView(
        kind=file.kind,
        name=file.name,
        content_type=uploads.media_type_of(file),
        size=file.size,
        width=file.width,
        height=file.height,
        duration_ms=ask.duration_ms if file.kind in ("audio", "video") else None,
        thumbnail=file.thumbnail,
    )
    row.card_data = msgspec.to_builtins(shown)
    view = post_sent(tx, ask, row, hit)
    shared = MediaShared(
        conversation_id=ask.conversation_id, message_id=row.id, upload_id=file.id, kind=file.kind
    )
    tx.publish(shared)
    return view


def find_media(tx: Transaction, message_id: str) -> str:
    """The id of the upload in a message that the actor can read; raises NotFound."""
    row = get_readable(tx, message_id)
    if row.hidden:
        raise NotFound
    return upload_of(row)


def list_media(tx: Transaction, message_ids: list[str]) -> dict[str, str]:
    """The ids of the uploads in these messages, by message, where `find_media` finds one."""
    found = {}
    for message_id in dict.fromkeys(message_ids):
        with suppress(NotFound):
            found[message_id] = find_media(tx, message_id)
    return found


def upload_of(row: MessageRow) -> str:
    """The id of the upload in a message; raises NotFound."""
    if row.deleted or row.kind != "media" or row.card_id is None:
        raise NotFound
    return row.card_id
