"""Bookings in conversations: requested there, shown there and kept current there."""

from handlers.consulting.availability import public as availability
from handlers.consulting.booking import booking
from handlers.consulting.booking.contracts import (
    BookingView,
    ChatBookingRequested,
    RequestBooking,
    RequestBookingInChat,
)
from handlers.consulting.booking.service.requests import request_booking
from handlers.kit.transaction import Transaction
from handlers.platform.chat import public as chats

CARD = booking.card("booking", BookingView)


def request_in_chat(tx: Transaction, ask: RequestBookingInChat) -> BookingView:
    """Request a booking and show it; the block's consultant must be in the conversation.

    The filter reads its note like any text there. Raises NotFound, Blocked, TextRefused and what
    `request_booking` raises.
    """
    chats.hold_conversation(tx, ask.conversation_id)
    block = availability.find_block(tx, ask.block_id)
    chats.check_present(tx, ask.conversation_id, block.consultant_id)
    hit = tx.kernel.filter.check(ask.note)
    made = request_booking(
        tx, RequestBooking(block_id=ask.block_id, topic_id=ask.topic_id, note=ask.note)
    )
    tx.publish(ChatBookingRequested(conversation_id=ask.conversation_id, booking=made))
    chats.show_card(tx, ask.conversation_id, CARD, made, hit)
    return made


def keep_current(tx: Transaction, changed: BookingView) -> None:
    """Show a booking as it is now in the conversations that show it."""
    chats.refresh_cards(tx, CARD, changed)
