"""Pinned messages: both users of a direct conversation can pin, and the owners of a group."""

from handlers.kit.contract import Empty
from handlers.kit.errors import Conflict, Forbidden, NotFound, TooMany
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.messages import MessagePinned, Pin, PinsView
from handlers.platform.chat.contracts.rooms import chat_room
from handlers.platform.chat.service.history import get_readable, readable, shown
from handlers.platform.chat.service.members import check_member, hold_speaker
from storage.platform.chat import conversations as store
from storage.platform.chat import members as chat_members
from storage.platform.chat import messages as chat_messages
from storage.platform.chat import pins as chat_pins
from storage.platform.chat.pins import PinRow

PINNED_MAX = 20


def pin(tx: Transaction, ask: Pin) -> Empty:
    """Pin or unpin a message that the actor can read.

    Raises NotFound, Blocked, Forbidden, TooMany, or Conflict for a hidden message.
    """
    conversation = store.lock_conversation(tx, get_readable(tx, ask.message_id).conversation_id)
    assert conversation is not None
    if hold_speaker(tx, conversation.id).role != "owner" and conversation.kind == "group":
        raise Forbidden("Only an owner of the group can do this.")
    message = chat_messages.lock_message(tx, ask.message_id)
    if message is None or message.deleted or message.kind == "system":
        raise NotFound
    if message.hidden and ask.on:
        raise Conflict("This message is hidden.")
    if _change(tx, conversation.id, ask):
        if chat_pins.count_pins(tx, conversation.id) > PINNED_MAX:
            raise TooMany("This conversation has the maximum number of pinned messages.")
        event = MessagePinned(
            conversation_id=conversation.id,
            message_id=message.id,
            user_id=tx.actor.id,
            pinned=ask.on,
        )
        tx.publish(event)
    return Empty()


def list_pinned(tx: Transaction, conversation_id: str) -> PinsView:
    """The pinned messages that the actor can read; raises NotFound for other conversations."""
    check_member(tx, conversation_id)
    intervals = {conversation_id: chat_members.list_intervals(tx, conversation_id, tx.actor.id)}
    return PinsView(
        messages=shown(
            tx, intervals, readable(tx, intervals, chat_pins.list_pinned(tx, conversation_id))
        ),
        seq=tx.head("/chat", chat_room(conversation_id)),
    )


def _change(tx: Transaction, conversation_id: str, ask: Pin) -> bool:
    if not ask.on:
        return chat_pins.delete_pin(tx, conversation_id, ask.message_id)
    row = PinRow(conversation_id, ask.message_id, tx.actor.id, tx.now)
    return chat_pins.insert_pin(tx, row)
