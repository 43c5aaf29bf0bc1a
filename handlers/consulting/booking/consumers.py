"""How timers, calls and withdrawn blocks move bookings, and how cards follow them."""

from handlers.consulting.availability.contracts import PlacesWithdrawn
from handlers.consulting.booking import booking, cards
from handlers.consulting.booking.contracts import (
    AboutBooking,
    BlockEndDue,
    BookingApproved,
    BookingCancelled,
    BookingCompleted,
    BookingExpired,
    BookingRejected,
    BookingRescheduled,
    HoldDue,
)
from handlers.consulting.booking.service import answers, expiry
from handlers.consulting.call.contracts import CallEnded, CallStarted
from handlers.kit.transaction import Transaction


@booking.consumer(HoldDue)
def expire_the_request(tx: Transaction, event: HoldDue) -> None:
    """A request that nobody answered expires."""
    expiry.expire_when_due(tx, event.booking_id)


@booking.consumer(BlockEndDue)
def complete_with_the_block(tx: Transaction, event: BlockEndDue) -> None:
    """When its block is over, a booking whose call was held is completed."""
    answers.complete_if_held(tx, event.booking_id)


@booking.consumer(CallStarted)
def note_the_call(tx: Transaction, event: CallStarted) -> None:
    """From here on the call counts as held."""
    answers.note_held(tx, event.call.booking_id)


@booking.consumer(CallEnded)
def complete_after_the_call(tx: Transaction, event: CallEnded) -> None:
    """A held call that ended completes its booking; one at once that nobody held is cancelled."""
    if event.call.started_at is not None:
        answers.complete(tx, event.call.booking_id)
    else:
        answers.cancel_unheld(tx, event.call.booking_id)


@booking.consumer(PlacesWithdrawn)
def cancel_the_withdrawn(tx: Transaction, event: PlacesWithdrawn) -> None:
    """Bookings whose place was withdrawn are cancelled."""
    for booking_id in event.booking_ids:
        answers.cancel_withdrawn(tx, booking_id, event.block_id)


@booking.consumer(
    BookingApproved,
    BookingRejected,
    BookingCancelled,
    BookingRescheduled,
    BookingExpired,
    BookingCompleted,
    formerly=("chat.keep_the_card_current",),
)
def keep_the_card_current(tx: Transaction, event: AboutBooking) -> None:
    """A booking that a conversation shows changed."""
    cards.keep_current(tx, event.booking)
