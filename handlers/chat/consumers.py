"""How bookings and timers show in conversations."""

from handlers.booking.contracts import (
    AboutBooking,
    BookingApproved,
    BookingCancelled,
    BookingCompleted,
    BookingExpired,
    BookingRejected,
    BookingRescheduled,
)
from handlers.chat import chat
from handlers.chat.contracts.marks import MarkDue
from handlers.chat.service import cards, marks
from handlers.kit.context import Transaction


@chat.consumer(
    BookingApproved,
    BookingRejected,
    BookingCancelled,
    BookingRescheduled,
    BookingExpired,
    BookingCompleted,
)
def keep_the_card_current(tx: Transaction, event: AboutBooking) -> None:
    """A booking that a conversation shows changed."""
    cards.keep_current(tx, event.booking)


@chat.consumer(MarkDue)
def tell_the_latest_mark(tx: Transaction, event: MarkDue) -> None:
    """A mark waited for its turn."""
    marks.tell_due(tx, event)
