"""Booking requests, for a block or for an instant call."""

from datetime import datetime, timedelta

import msgspec

from handlers.consulting.availability import public as availability
from handlers.consulting.availability.contracts.blocks import OwnBlock
from handlers.consulting.availability.contracts.terms import TermsView
from handlers.consulting.booking.contracts import (
    BookingRequested,
    BookingView,
    NotAvailable,
    Overlaps,
    RequestBooking,
    RequestNow,
    TooManyOpenRequests,
    TopicNotOffered,
)
from handlers.consulting.booking.service import approval, history
from handlers.consulting.booking.service.agreed import agree
from handlers.consulting.booking.service.expiry import (
    expire_if_overdue,
    expire_later,
    expire_overdue,
)
from handlers.consulting.booking.service.lists import view_of
from handlers.consulting.consultants import public as consultants
from handlers.consulting.consultants.contracts import TopicView
from handlers.kit.transaction import Transaction
from handlers.platform.chat import public as chats
from handlers.platform.personal_data import public as personal_data
from handlers.platform.profile import public as profiles
from storage.consulting import booking as store
from storage.consulting.booking import BookingRow

INSTANT = timedelta(hours=1)


def request_booking(tx: Transaction, ask: RequestBooking) -> BookingView:
    """Hold a place for the actor and publish the request; raises the refusals of `request`."""
    personal_data.check_stays(tx)
    block = availability.find_block(tx, ask.block_id)
    if block.consultant_id == tx.actor.id:
        raise OwnBlock
    topic = get_offered(tx, ask.topic_id, block.consultant_id)
    terms = check_may_ask(tx, block.consultant_id)
    availability.check_bookable(tx, block, terms, topic.minimal_duration_minutes)
    expire_overdue(tx, block.id)
    row = new_booking(tx, topic, ask.note, block.starts_at, block.ends_at)
    row.block_id, row.terms = block.id, msgspec.to_builtins(agree(terms))
    take_time(tx, row)
    if terms.approves_at_once:
        availability.hold_place(tx, block.id, row.id, row.student_id, None)
        history.begin(tx, row)
        return approval.confirm(tx, row, None, by_terms=True)
    expires_at = min(tx.now + tx.rules.span("request_hold_s"), block.ends_at)
    availability.hold_place(tx, block.id, row.id, row.student_id, expires_at)
    return keep_request(tx, row, expires_at)


def request_now(tx: Transaction, ask: RequestNow) -> BookingView:
    """Request an instant call; the request expires after `instant_hold_s`."""
    personal_data.check_stays(tx)
    if ask.consultant_id == tx.actor.id:
        raise OwnBlock("You cannot book a call with yourself.")
    check_may_ask(tx, ask.consultant_id)
    topic = get_offered(tx, ask.topic_id, ask.consultant_id)
    if not availability.is_available_now(tx, ask.consultant_id):
        raise NotAvailable
    row = new_booking(tx, topic, ask.note, tx.now, tx.now + INSTANT)
    holder = store.find_instant_holder(tx, row.student_id, row.consultant_id)
    if holder is not None:
        expire_if_overdue(tx, holder)
    store.insert_booking(tx, row)
    if not store.take_instant(tx, row.student_id, row.consultant_id, row.id):
        raise Overlaps
    return keep_request(tx, row, tx.now + tx.rules.span("instant_hold_s"))


def check_may_ask(tx: Transaction, consultant_id: str) -> TermsView:
    """The consultant's terms, if the actor may send another request.

    Raises Blocked or TooManyOpenRequests. The lock on the student makes concurrent requests count
    each other.
    """
    profiles.hold_user(tx, tx.actor.id)
    chats.check_no_block(tx, [consultant_id])
    terms = availability.get_terms(tx, consultant_id)
    if store.count_asked(tx, tx.actor.id, consultant_id, tx.now) >= terms.open_requests_max:
        raise TooManyOpenRequests(details={"most": terms.open_requests_max})
    return terms


def get_offered(tx: Transaction, topic_id: str, consultant_id: str) -> TopicView:
    topic = consultants.lock_offered_topic(tx, topic_id, consultant_id)
    if topic is None:
        raise TopicNotOffered
    return topic


def new_booking(
    tx: Transaction, topic: TopicView, note: str, starts_at: datetime, ends_at: datetime
) -> BookingRow:
    """A request of the actor, with the rate and minimum duration of the topic."""
    return BookingRow(
        id=tx.new_id(),
        student_id=tx.actor.id,
        consultant_id=topic.consultant_id,
        topic_id=topic.id,
        topic_name=topic.name,
        block_id=None,
        starts_at=starts_at,
        ends_at=ends_at,
        status="requested",
        note=note,
        reason=None,
        rate_amount=topic.hourly_rate.amount,
        rate_currency=topic.hourly_rate.currency,
        minimal_duration_minutes=topic.minimal_duration_minutes,
        hold_expires_at=None,
        version=1,
        created_at=tx.now,
        call_held=False,
        terms=None,
        fee_percent=0,
        student_came_at=None,
        consultant_came_at=None,
    )


def take_time(tx: Transaction, row: BookingRow) -> None:
    """Insert the booking and reserve the student's time; raises Overlaps."""
    free_overdue_time(tx, row, row.starts_at, row.ends_at)
    store.insert_booking(tx, row)
    if not availability.take_time(tx, row.student_id, row.id, row.starts_at, row.ends_at):
        raise Overlaps


def free_overdue_time(
    tx: Transaction, row: BookingRow, starts_at: datetime, ends_at: datetime
) -> None:
    """Expire overdue requests of the same student that still occupy this time."""
    for booking_id in availability.list_time_holders(tx, row.student_id, starts_at, ends_at):
        expire_if_overdue(tx, booking_id)


def keep_request(tx: Transaction, row: BookingRow, expires_at: datetime) -> BookingView:
    row.hold_expires_at = expires_at
    store.update_booking(tx, row)
    history.begin(tx, row)
    expire_later(tx, row)
    view = view_of(row)
    tx.publish(BookingRequested(booking=view))
    return view
