"""Consumers that change bookings after timers, calls and withdrawn places, and update cards."""

from handlers.consulting.availability.contracts.blocks import PlacesWithdrawn
from handlers.consulting.booking import booking, cards
from handlers.consulting.booking.contracts import (
    AboutBooking,
    BlockEndDue,
    BookingApproved,
    BookingCancelled,
    BookingCompleted,
    BookingExpired,
    BookingMissed,
    BookingRejected,
    BookingRescheduled,
    HoldDue,
)
from handlers.consulting.booking.service import answers, expiry, hours
from handlers.consulting.call.contracts import CallEnded, CallStarted
from handlers.kit.transaction import Transaction


@booking.consumer(HoldDue)
def expire_the_request(tx: Transaction, event: HoldDue) -> None:
    """Expire a request that the consultant did not answer."""
    expiry.expire_when_due(tx, event.booking_id)


@booking.consumer(BlockEndDue)
def end_with_the_hour(tx: Transaction, event: BlockEndDue) -> None:
    """End a booking with its hour: completed if there was a call, otherwise missed."""
    hours.end_when_due(tx, event.booking_id)


@booking.consumer(CallStarted)
def note_the_call(tx: Transaction, event: CallStarted) -> None:
    """Record that the booking's call took place."""
    hours.note_call(tx, event.call.booking_id)


@booking.consumer(CallEnded)
def go_on_after_the_call(tx: Transaction, event: CallEnded) -> None:
    """Complete the booking if somebody ended the call; after a lost call, both may return."""
    hours.go_on_after_call(tx, event.call)


@booking.consumer(PlacesWithdrawn)
def cancel_the_withdrawn(tx: Transaction, event: PlacesWithdrawn) -> None:
    """Cancel the bookings whose places were withdrawn."""
    for booking_id in event.booking_ids:
        answers.cancel_withdrawn(tx, booking_id, event.block_id)


@booking.consumer(
    BookingApproved,
    BookingRejected,
    BookingCancelled,
    BookingRescheduled,
    BookingExpired,
    BookingCompleted,
    BookingMissed,
)
def keep_the_card_current(tx: Transaction, event: AboutBooking) -> None:
    """Update the cards of a booking that changed."""
    cards.keep_current(tx, event.booking)
