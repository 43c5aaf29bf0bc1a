"""Messages: sending, editing and deleting them."""

import msgspec

from handlers.kit.contract import encode
from handlers.kit.errors import Conflict, NotFound
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.messages import (
    DeleteMessage,
    EditMessage,
    MessageDeleted,
    MessageEdited,
    MessageHidden,
    MessageKind,
    MessageSent,
    MessageView,
    SendMedia,
    SendMessage,
    TooLate,
)
from handlers.platform.chat.contracts.personal import Blocked
from handlers.platform.chat.contracts.rooms import chat_room
from handlers.platform.chat.service.filtering import publish_noticed
from handlers.platform.chat.service.history import get_readable
from handlers.platform.chat.service.members import hold_member, hold_speaker
from handlers.platform.chat.service.mentions import check_mentions, publish_mentions
from handlers.platform.chat.service.personal import clear_sent_draft
from handlers.platform.chat.service.previews import drop_preview
from handlers.platform.chat.service.views import message_view, reactions_of
from handlers.platform.uploads import public as uploads
from storage.events.idempotency import rewrite_answers
from storage.events.log import rewrite_subject
from storage.platform.chat import messages as chat_messages
from storage.platform.chat import pins as chat_pins
from storage.platform.chat import reactions as chat_reactions
from storage.platform.chat.messages import MessageRow

OWN_KINDS = ("text", "media")
"""The kinds that senders can edit and delete; a card changes only with its object."""
KEY_FIELDS = {"request_id", "conversation_id", "client_id"}
"""The fields of a request that identify a message; the others are what it says."""


def send(tx: Transaction, ask: SendMessage) -> MessageView:
    """Send a text, once for each client id of the sender; it clears the draft that it comes from.

    Raises NotFound, Blocked, Conflict, Invalid or TextRefused.
    """
    if (sent := find_or_hold(tx, ask)) is not None:
        return sent
    hit = tx.kernel.filter.check(ask.text)
    return post_sent(tx, ask, new_sent(tx, ask, "text"), hit)


def new_sent(tx: Transaction, ask: SendMessage | SendMedia, kind: MessageKind) -> MessageRow:
    """The message of a request, without a number. Raises NotFound or Invalid."""
    row = new_message(tx, ask.conversation_id, ask.client_id, kind, ask.text)
    row.sent_hash = sent_hash_of(tx, ask)
    row.reply_to = check_reply(tx, ask.conversation_id, ask.reply_to)
    row.mentions = check_mentions(tx, ask.conversation_id, ask.mentions)
    return row


def post_sent(
    tx: Transaction, ask: SendMessage | SendMedia, row: MessageRow, hit: str
) -> MessageView:
    """Post the message of a request, and clear the draft that it comes from."""
    view = post(tx, row, hit)
    clear_sent_draft(tx, ask.conversation_id, ask.text)
    return view


def sent_hash_of(tx: Transaction, ask: SendMessage | SendMedia) -> str:
    """A keyed hash of what a request says, by which a repetition is recognized.

    Empty fields do not count, so that a later version can add optional fields.
    """
    said = {
        name: value
        for name, value in msgspec.structs.asdict(ask).items()
        if value and name not in KEY_FIELDS
    }
    return tx.keys.fingerprint("sent", msgspec.json.encode(said, order="deterministic").decode())


def check_reply(tx: Transaction, conversation_id: str, reply_to: str | None) -> str | None:
    """The given id, if it is a readable message of this conversation; else raises NotFound."""
    if reply_to is not None and get_readable(tx, reply_to).conversation_id != conversation_id:
        raise NotFound
    return reply_to


def find_or_hold(tx: Transaction, ask: SendMessage | SendMedia) -> MessageView | None:
    """The actor's message with this client id; None if there is none and the actor can send it.

    The membership is locked first, so a concurrent repetition finds the first message. An actor who
    was removed or blocked meanwhile still gets the message that they sent. Raises NotFound,
    Blocked, or Conflict when something else was sent with this client id.
    """
    try:
        hold_speaker(tx, ask.conversation_id)
    except (NotFound, Blocked):
        if (sent := _find_sent(tx, ask)) is None:
            raise
        return sent
    return _find_sent(tx, ask)


def _find_sent(tx: Transaction, ask: SendMessage | SendMedia) -> MessageView | None:
    row = chat_messages.find_sent(tx, ask.conversation_id, tx.actor.id, ask.client_id)
    if row is None:
        return None
    if row.sent_hash is not None and row.sent_hash != sent_hash_of(tx, ask):
        raise Conflict("This client id was already used with another message.")
    return message_view(row)


def new_message(
    tx: Transaction,
    conversation_id: str,
    client_id: str | None,
    kind: MessageKind,
    text: str,
    sender_id: str | None = None,
) -> MessageRow:
    """A message of the actor, or of `sender_id`, that has no sequence number yet."""
    return MessageRow(
        id=tx.new_id(),
        conversation_id=conversation_id,
        seq=0,
        said_seq=0,
        sender_id=sender_id or tx.actor.id,
        client_id=client_id,
        kind=kind,
        text=text,
        card_kind=None,
        card_id=None,
        card_data=None,
        sent_at=tx.now,
        edited_at=None,
        deleted=False,
        reply_to=None,
        mentions=None,
        preview=None,
    )


def post(tx: Transaction, row: MessageRow, hit: str = "") -> MessageView:
    """Number, store and publish a message; with a filter match `hit`, inform the moderators too."""
    row.seq = row.said_seq = tx.take_number("/chat", chat_room(row.conversation_id))
    chat_messages.insert_message(tx, row)
    view = message_view(row)
    tx.publish(MessageSent(message=view))
    publish_mentions(tx, row)
    publish_noticed(tx, row, hit)
    return view


def edit(tx: Transaction, ask: EditMessage) -> MessageView:
    """Change the text of a message, and its mentions if given; an equal text changes nothing.

    Raises NotFound, Blocked, TooLate, TextRefused, Invalid, or Conflict while it is hidden.
    """
    row = get_own(tx, ask.message_id)
    hold_speaker(tx, row.conversation_id)
    check_in_time(tx, row, "message_edit_s")
    if row.hidden:
        raise Conflict("This message is hidden.")  # moderators review it in this state
    mentions = row.mentions
    if ask.mentions is not None:
        mentions = check_mentions(tx, row.conversation_id, ask.mentions)
    if (ask.text, mentions) == (row.text, row.mentions):
        return message_view(row, reactions_of(tx, [row.id])[row.id])
    hit = tx.kernel.filter.check(ask.text)
    drop_preview(tx, row)
    row.text, row.mentions, before = ask.text, mentions, row.mentions
    view = save_edit(tx, row)
    publish_mentions(tx, row, before)
    publish_noticed(tx, row, hit)
    return view


def check_in_time(tx: Transaction, row: MessageRow, rule: str) -> None:
    """Raises TooLate when a message was sent longer ago than the rule allows."""
    if tx.now - row.sent_at > tx.rules.span(rule):
        raise TooLate


def save_edit(tx: Transaction, row: MessageRow) -> MessageView:
    """Save and publish a message whose content changed."""
    row.said_seq = tx.take_number("/chat", chat_room(row.conversation_id))
    row.edited_at = tx.now
    chat_messages.update_message(tx, row)
    view = message_view(row, reactions_of(tx, [row.id])[row.id])
    tx.publish(MessageEdited(message=view))
    return view


def delete(tx: Transaction, ask: DeleteMessage) -> MessageView:
    """Delete a message's text and file, also from stored events and answers.

    The row stays, with its number and sender. Users can delete their messages even after they left
    the conversation or were removed. Raises NotFound or TooLate.
    """
    row = lock_own(tx, ask.message_id)
    check_in_time(tx, row, "message_delete_s")
    return wipe(tx, row)


def wipe(tx: Transaction, row: MessageRow) -> MessageView:
    """Delete a message, without checks."""
    if row.kind == "media" and row.card_id is not None:
        uploads.disuse(tx, row.card_id)
    drop_preview(tx, row)
    before = row.mentions
    row.text, row.card_data, row.mentions = "", None, None
    row.deleted, row.hidden, row.edited_at = True, False, tx.now
    chat_messages.update_message(tx, row)
    chat_reactions.delete_reactions(tx, row.id)
    chat_pins.delete_pin(tx, row.conversation_id, row.id)
    deleted = redact_history(tx, row)
    tx.publish(deleted)
    publish_mentions(tx, row, before)
    return deleted.message


def redact_history(tx: Transaction, row: MessageRow) -> MessageDeleted:
    """Rewrite all earlier events and answers about a deleted message, without its content."""
    event = MessageDeleted(message=message_view(row))
    _rewrite_history(tx, event)
    return event


def retract(tx: Transaction, event: MessageHidden) -> None:
    """Publish an event that also replaces all earlier events and answers about its message."""
    _rewrite_history(tx, event)
    tx.publish(event)


def _rewrite_history(tx: Transaction, event: MessageDeleted | MessageHidden) -> None:
    about = event.about() or ""
    rewrite_subject(tx, about, encode(event))
    rewrite_answers(tx, about, encode(event.message))


def get_own(tx: Transaction, message_id: str) -> MessageRow:
    """`lock_own` for messages of conversations that the actor is a member of; else NotFound."""
    hold_member(tx, find_own(tx, message_id).conversation_id)
    return lock_own(tx, message_id)


def lock_own(tx: Transaction, message_id: str) -> MessageRow:
    """A message that the actor sent and did not delete, locked; else NotFound."""
    find_own(tx, message_id)  # so that nobody can lock the messages of others
    row = chat_messages.lock_message(tx, message_id)
    if row is None or row.deleted:
        raise NotFound
    return row


def find_own(tx: Transaction, message_id: str) -> MessageRow:
    """A message that the actor sent, deleted or not; else NotFound."""
    found = chat_messages.find_message(tx, message_id)
    if found is None or found.sender_id != tx.actor.id or found.kind not in OWN_KINDS:
        raise NotFound
    return found
