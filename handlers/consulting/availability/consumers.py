"""Consumers that change availability after calls, timers and changes of consultants."""

from handlers.consulting.availability import availability
from handlers.consulting.availability.contracts.blocks import TopUpDue
from handlers.consulting.availability.contracts.waiting_lists import BeginDue, OfferDue
from handlers.consulting.availability.service import lists, now, weeks
from handlers.consulting.booking.contracts import BookingExpired
from handlers.consulting.call.contracts import CallEnded, CallInitiated
from handlers.consulting.consultants import public as consultants
from handlers.consulting.consultants.contracts import (
    ConsultantDeactivated,
    ConsultantOnboarded,
    consultant_room,
)
from handlers.kit.life import WatchingEnded
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.personal import PersonBlocked
from handlers.platform.presence.contracts import UserOffline, UserOnline, VisibilityChanged
from storage.events import holds


@availability.consumer(CallInitiated, CallEnded)
def be_away_during_the_call(tx: Transaction, event: CallInitiated | CallEnded) -> None:
    """Make both participants unavailable during a call, and available after it if they chose so.

    One consumer processes these events, so that a call's end never comes before its start.
    """
    for user_id in sorted((event.call.consultant_id, event.call.student_id)):
        if isinstance(event, CallEnded):
            now.resume_after_call(tx, user_id, event.call.id)
        else:
            now.pause_for_call(tx, user_id, event.call.id)


@availability.consumer(UserOffline, UserOnline, VisibilityChanged)
def be_away_while_nobody_is_there(
    tx: Transaction, event: UserOffline | UserOnline | VisibilityChanged
) -> None:
    """Make a consultant unavailable who is invisible, or has no connected device."""
    match event:
        case UserOffline():
            now.go_away(tx, event.user_id)
        case VisibilityChanged(invisible=True):
            now.hide(tx, event.user_id)
        case _:
            now.come_back(tx, event.user_id)


@availability.consumer(BookingExpired)
def stop_after_silence(tx: Transaction, event: BookingExpired) -> None:
    """Make a consultant unavailable who did not answer a request for an immediate call."""
    if event.booking.block_id is None:
        now.lapse(tx, event.booking.consultant_id)


@availability.consumer(OfferDue)
def offer_the_place_on(tx: Transaction, event: OfferDue) -> None:
    """Offer the place of an expired offer to the next user on the waiting list."""
    holds.lock_pool(tx, event.block_id)
    lists.expire_and_publish(tx, event.block_id)
    lists.reset_timers(tx, event.block_id)


@availability.consumer(BeginDue)
def close_the_list(tx: Transaction, event: BeginDue) -> None:
    """Close the waiting list of a block that begins."""
    lists.close_when_begun(tx, event.block_id)


@availability.consumer(TopUpDue)
def make_blocks_ahead(tx: Transaction, event: TopUpDue) -> None:
    """Create the missing blocks of the coming weeks, once a day."""
    weeks.top_up(tx, event.consultant_id)


@availability.consumer(ConsultantDeactivated)
def withdraw_the_week(tx: Transaction, event: ConsultantDeactivated) -> None:
    """Withdraw the free places of a consultant who stopped; bookings stay."""
    consultant_id = event.consultant.id
    began_again = consultants.lock_consultant(tx, consultant_id)
    if not (began_again and consultants.shows_available_now(tx, consultant_id)):
        now.withdraw(tx, consultant_id)
    if not began_again:
        weeks.withdraw_free(tx, consultant_id)


@availability.consumer(ConsultantOnboarded)
def bring_the_week_back(tx: Transaction, event: ConsultantOnboarded) -> None:
    """Create the blocks of a returning consultant from their old schedule."""
    weeks.top_up(tx, event.consultant.id)


@availability.consumer(PersonBlocked)
def review_the_offers(tx: Transaction, event: PersonBlocked) -> None:
    """Withdraw the offers between users of whom one blocked the other, or make skipped ones."""
    lists.review_offers_between(tx, event.user_id, event.person_id)


@availability.consumer(PersonBlocked)
def end_the_watching(tx: Transaction, event: PersonBlocked) -> None:
    """Stop sending a consultant's changes to a user whom the consultant has blocked."""
    if event.on and consultants.exists(tx, event.user_id):
        room = consultant_room(event.user_id)
        tx.publish(WatchingEnded(user_id=event.person_id, of_namespace="/availability", room=room))
