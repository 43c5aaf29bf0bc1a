"""Bookings inside a conversation: asked for there, shown there, kept current there."""

import msgspec

from handlers.availability import public as availability
from handlers.booking import public as bookings
from handlers.booking.contracts import BookingView, RequestBooking
from handlers.chat.contracts.messages import ChatBookingRequested, RequestBookingInChat
from handlers.chat.service.members import hold_speaker
from handlers.chat.service.messages import new_message, say, say_anew
from handlers.kit.context import Transaction
from handlers.kit.errors import NotFound
from storage import chat as store
from storage import chat_members, chat_messages
from storage.chat_messages import MessageRow

BOOKING = "booking"


def request_booking(tx: Transaction, ask: RequestBookingInChat) -> BookingView:
    """Ask for it as anywhere, and show it; the block's consultant must be in the conversation.

    Its note is read there like any text. Raises TextRefused.
    """
    store.lock_conversation(tx, ask.conversation_id)
    hold_speaker(tx, ask.conversation_id)
    block = availability.find_block(tx, ask.block_id)
    if chat_members.find_membership(tx, ask.conversation_id, block.consultant_id) is None:
        raise NotFound
    hit = tx.kernel.filter.check(ask.note)
    booking = bookings.request_booking(
        tx, RequestBooking(block_id=ask.block_id, topic_id=ask.topic_id, note=ask.note)
    )
    tx.publish(ChatBookingRequested(conversation_id=ask.conversation_id, booking=booking))
    say(tx, _card(tx, ask.conversation_id, booking), hit)
    return booking


def keep_current(tx: Transaction, booking: BookingView) -> None:
    """Show a booking as it is now, wherever it is shown."""
    data = msgspec.to_builtins(booking)
    for row in chat_messages.list_cards(tx, BOOKING, booking.id):
        if row.deleted or row.card_data.get("version", 0) >= booking.version:
            continue
        row.card_data = data
        say_anew(tx, row)


def _card(tx: Transaction, conversation_id: str, booking: BookingView) -> MessageRow:
    row = new_message(tx, conversation_id, None, "card", "")
    row.card_kind, row.card_id = BOOKING, booking.id
    row.card_data = msgspec.to_builtins(booking)
    return row
