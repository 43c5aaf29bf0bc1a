"""What is said: sent, edited, deleted."""

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
    SendMessage,
    TooLate,
)
from handlers.platform.chat.contracts.personal import Blocked
from handlers.platform.chat.service.filtering import tell_noticed
from handlers.platform.chat.service.history import get_readable
from handlers.platform.chat.service.members import hold_member, hold_speaker
from handlers.platform.chat.service.mentions import check_mentions, tell_mentioned
from handlers.platform.chat.service.previews import drop_preview
from handlers.platform.chat.service.views import message_view, reactions_of
from handlers.platform.uploads import public as uploads
from rooms import names
from storage.events.idempotency import rewrite_answers
from storage.events.log import rewrite_subject
from storage.platform.chat import messages as chat_messages
from storage.platform.chat import pins as chat_pins
from storage.platform.chat import reactions as chat_reactions
from storage.platform.chat.messages import MessageRow

OWN_KINDS = ("text", "media")
"""What is its sender's to edit and to take back; a card is its subject's."""


def send(tx: Transaction, ask: SendMessage) -> MessageView:
    """Once for each client id of this sender."""
    if (sent := find_or_hold(tx, ask.conversation_id, ask.client_id)) is not None:
        return sent
    hit = tx.kernel.filter.check(ask.text)
    row = new_message(tx, ask.conversation_id, ask.client_id, "text", ask.text)
    row.reply_to = check_reply(tx, ask.conversation_id, ask.reply_to)
    row.mentions = check_mentions(tx, ask.conversation_id, ask.mentions)
    return say(tx, row, hit)


def check_reply(tx: Transaction, conversation_id: str, reply_to: str | None) -> str | None:
    """What is answered: a message of this conversation that the actor may read; else NotFound."""
    if reply_to is not None and get_readable(tx, reply_to).conversation_id != conversation_id:
        raise NotFound
    return reply_to


def find_or_hold(tx: Transaction, conversation_id: str, client_id: str) -> MessageView | None:
    """What the actor sent under this client id; None when they may send it now, else NotFound.

    Their membership is held first, so a repeat that runs at the same moment finds the first
    message. Who was put out or blocked since then may still ask what became of it.
    """
    try:
        hold_speaker(tx, conversation_id)
    except (NotFound, Blocked):
        if (sent := _find_sent(tx, conversation_id, client_id)) is None:
            raise
        return sent
    return _find_sent(tx, conversation_id, client_id)


def _find_sent(tx: Transaction, conversation_id: str, client_id: str) -> MessageView | None:
    row = chat_messages.find_sent(tx, conversation_id, tx.actor.id, client_id)
    return None if row is None else message_view(row)


def new_message(
    tx: Transaction,
    conversation_id: str,
    client_id: str | None,
    kind: MessageKind,
    text: str,
    sender_id: str | None = None,
) -> MessageRow:
    """A message of the actor's (or of somebody else's), still without a number."""
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


def say(tx: Transaction, row: MessageRow, hit: str = "") -> MessageView:
    """Give the message its number, keep it and tell of it; of a `hit` the moderators too."""
    row.seq = row.said_seq = tx.take_number("/chat", names.chat(row.conversation_id))
    chat_messages.insert_message(tx, row)
    view = message_view(row)
    tx.publish(MessageSent(message=view))
    tell_mentioned(tx, row)
    tell_noticed(tx, row, hit)
    return view


def edit(tx: Transaction, ask: EditMessage) -> MessageView:
    """Raises NotFound, Blocked, TooLate, TextRefused, and Conflict while it is hidden."""
    row = get_own(tx, ask.message_id)
    hold_speaker(tx, row.conversation_id)
    check_in_time(tx, row, "message_edit_s")
    if row.hidden:
        raise Conflict("This message is hidden.")  # what is looked at stays as it is
    hit = tx.kernel.filter.check(ask.text)
    drop_preview(tx, row)
    row.text, before = ask.text, row.mentions
    if ask.mentions is not None:
        row.mentions = check_mentions(tx, row.conversation_id, ask.mentions)
    view = say_anew(tx, row)
    tell_mentioned(tx, row, before)
    tell_noticed(tx, row, hit)
    return view


def check_in_time(tx: Transaction, row: MessageRow, rule: str) -> None:
    """Raises TooLate when a message was sent longer ago than the rule allows."""
    if tx.now - row.sent_at > tx.rules.span(rule):
        raise TooLate


def say_anew(tx: Transaction, row: MessageRow) -> MessageView:
    """Keep what a message says or shows from now on, and tell the conversation."""
    row.said_seq = tx.take_number("/chat", names.chat(row.conversation_id))
    row.edited_at = tx.now
    chat_messages.update_message(tx, row)
    view = message_view(row, reactions_of(tx, [row.id])[row.id])
    tx.publish(MessageEdited(message=view))
    return view


def delete(tx: Transaction, ask: DeleteMessage) -> MessageView:
    """Wipe text and file here, from every event that carried them and from kept answers.

    Numbers and names stay. What one said is one's own to take back, also after one left the
    conversation or was removed from it. Raises NotFound and TooLate.
    """
    row = lock_own(tx, ask.message_id)
    check_in_time(tx, row, "message_delete_s")
    return wipe(tx, row)


def wipe(tx: Transaction, row: MessageRow) -> MessageView:
    """Take a message back, whoever wants it."""
    if row.kind == "media" and row.card_id is not None:
        uploads.disuse(tx, row.card_id)
    drop_preview(tx, row)
    row.text, row.card_data, row.mentions = "", None, None
    row.deleted, row.hidden, row.edited_at = True, False, tx.now
    chat_messages.update_message(tx, row)
    chat_reactions.delete_reactions(tx, row.id)
    chat_pins.delete_pin(tx, row.conversation_id, row.id)
    deleted = forget_told(tx, row)
    tx.publish(deleted)
    return deleted.message


def forget_told(tx: Transaction, row: MessageRow) -> MessageDeleted:
    """Let all that was ever told of a message that was taken back say no more than that."""
    event = MessageDeleted(message=message_view(row))
    _rewrite_told(tx, event)
    return event


def retract(tx: Transaction, event: MessageHidden) -> None:
    """Let an event stand in place of all that was told of its message before, and tell it."""
    _rewrite_told(tx, event)
    tx.publish(event)


def _rewrite_told(tx: Transaction, event: MessageDeleted | MessageHidden) -> None:
    about = event.about() or ""
    rewrite_subject(tx, about, encode(event))
    rewrite_answers(tx, about, encode(event.message))


def get_own(tx: Transaction, message_id: str) -> MessageRow:
    """What the actor said and did not take back, in a conversation they are in; else NotFound."""
    hold_member(tx, find_own(tx, message_id).conversation_id)
    return lock_own(tx, message_id)


def lock_own(tx: Transaction, message_id: str) -> MessageRow:
    """What the actor said and did not take back, wherever they are now; else NotFound."""
    find_own(tx, message_id)  # so that nobody locks what somebody else said
    row = chat_messages.lock_message(tx, message_id)
    if row is None or row.deleted:
        raise NotFound
    return row


def find_own(tx: Transaction, message_id: str) -> MessageRow:
    """What the actor said, taken back or not; else NotFound."""
    found = chat_messages.find_message(tx, message_id)
    if found is None or found.sender_id != tx.actor.id or found.kind not in OWN_KINDS:
        raise NotFound
    return found
