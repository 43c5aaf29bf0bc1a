"""Booking cards: requests in conversations, and cards that show the current booking."""

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
    """Request a booking and show it as a card; the block's consultant must be a member.

    The text filter checks the note like any message. Raises NotFound, Blocked, TextRefused, and
    the refusals of `request_booking`.
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
    """Update the cards of a booking in all conversations that show it."""
    chats.refresh_cards(tx, CARD, changed)
