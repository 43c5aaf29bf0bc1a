"""Waiting lists: a freed place is offered to the first user for a limited time, then to the next.

Invariants:
- An offer is a hold, so nobody else can take the place while it is valid.
- An offer skips users who cannot take it: they have another call then, or one of the two blocks the
  other. They keep their place on the list. A block withdraws their offer, and its end makes one.
- The list closes when its block begins or is withdrawn, and its users are told.
- The first transaction that finds an expired offer publishes the expiry and offers the place to the
  next user. The timer ensures that this happens even if no other transaction looks.
"""

from datetime import datetime
from typing import Literal

from msgspec.structs import replace

from handlers.consulting.availability.contracts.blocks import OwnBlock
from handlers.consulting.availability.contracts.terms import DeadlinePassed
from handlers.consulting.availability.contracts.waiting_lists import (
    AlreadyHolds,
    BeginDue,
    BlockNotFull,
    JoinWaitingList,
    LeaveWaitingList,
    OfferDue,
    PositionView,
    WaitingListClosed,
    WaitingListOffered,
    WaitingListOfferExpired,
    WaitsView,
    WaitView,
)
from handlers.consulting.availability.service import places, terms
from handlers.consulting.availability.service.views import view_of
from handlers.kit.contract import Empty
from handlers.kit.errors import Conflict, NotFound, TooMany
from handlers.kit.transaction import Transaction
from handlers.platform.blocking import public as blocking
from handlers.platform.chat import public as chats
from handlers.platform.personal_data import public as personal_data
from rooms import names
from storage.consulting.availability import busy, schedules, waiting_lists
from storage.consulting.availability.schedules import BlockRow
from storage.consulting.availability.waiting_lists import WaitingRow
from storage.events import holds
from storage.events.holds import Hold

NAMESPACE = "/availability"
WAITING_MAX = 200
WAITS_MAX = 100
"""The maximum number of waiting lists of a user."""

CloseReason = Literal["begun", "withdrawn"]


def join(tx: Transaction, ask: JoinWaitingList) -> PositionView:
    personal_data.check_stays(tx)
    holds.lock_pool(tx, ask.block_id)
    block = places.get_open_block(tx, ask.block_id)
    if block.consultant_id == tx.actor.id:
        raise OwnBlock
    chats.check_no_block(tx, [block.consultant_id])
    until = _offered_until(tx, block)
    if until <= tx.now:
        raise DeadlinePassed(details={"until": until})
    expire_and_publish(tx, block.id)
    row = waiting_lists.find_waiting(tx, block.id, tx.actor.id) or _join_at_end(tx, block.id)
    return PositionView(position=waiting_lists.get_position(tx, row))


def _join_at_end(tx: Transaction, block_id: str) -> WaitingRow:
    """Add the actor to the end of the list.

    Raises AlreadyHolds, BlockNotFull, TooMany, or Conflict when the list is full.
    """
    if any(hold.holder_id == tx.actor.id for hold in holds.list_holds(tx, block_id)):
        raise AlreadyHolds
    block = places.get_open_block(tx, block_id)
    if view_of(block).status != "full":
        raise BlockNotFull
    if waiting_lists.count_waiting(tx, block_id) >= WAITING_MAX:
        raise Conflict("The waiting list of this block is full.", details={"most": WAITING_MAX})
    if waiting_lists.count_waits(tx, tx.actor.id) >= WAITS_MAX:
        raise TooMany("You are on the maximum number of waiting lists.")
    row = WaitingRow(block_id, tx.actor.id, tx.now, None, None)
    waiting_lists.join_waiting_list(tx, row)
    tx.publish_later(BeginDue(block_id=block_id), block.starts_at, f"waiting:{block_id}")
    return row


def leave(tx: Transaction, ask: LeaveWaitingList) -> Empty:
    """Remove the actor from the list, which declines an offer."""
    holds.lock_pool(tx, ask.block_id)
    before = places.get_row(tx, ask.block_id)
    row = waiting_lists.find_waiting(tx, before.id, tx.actor.id)
    if row is None:
        raise NotFound
    _leave(tx, before, row)
    return Empty()


def leave_all(tx: Transaction, user_id: str, limit: int) -> int:
    """Remove a user from at most `limit` lists; returns the number of lists."""
    waits = waiting_lists.list_waits(tx, user_id, limit)
    for one in waits:
        holds.lock_pool(tx, one.block_id)
        row = waiting_lists.find_waiting(tx, one.block_id, user_id)
        if row is not None:
            _leave(tx, places.get_row(tx, one.block_id), row)
    return len(waits)


def list_waits(tx: Transaction) -> WaitsView:
    """The actor's places on waiting lists; at most `WAITS_MAX`."""
    rows = waiting_lists.list_waits(tx, tx.actor.id, WAITS_MAX)
    waits = [
        WaitView(
            block=view_of(places.get_row(tx, row.block_id)),
            position=waiting_lists.get_position(tx, row),
            joined_at=row.joined_at,
            offer_expires_at=row.offer_expires_at,
        )
        for row in rows
    ]
    waits.sort(key=lambda wait: (wait.block.starts_at, wait.block.id))
    return WaitsView(waits=waits, seq=tx.head(NAMESPACE, names.user(tx.actor.id)))


def list_waits_in(tx: Transaction, rows: list[BlockRow]) -> list[str]:
    """The ids of the blocks in `rows` on whose waiting lists the actor is."""
    if tx.visitor:
        return []
    waits = {one.block_id for one in waiting_lists.list_waits(tx, tx.actor.id, WAITS_MAX)}
    return [row.id for row in rows if row.id in waits]


def close(tx: Transaction, block_id: str, reason: CloseReason) -> None:
    """Remove and tell everybody who waits without an offer; the pool must be locked."""
    closed = waiting_lists.close_waiting_list(tx, block_id)
    block = view_of(places.get_row(tx, block_id))
    for row in closed:
        tx.publish(WaitingListClosed(block=block, user_id=row.user_id, reason=reason))


def close_when_begun(tx: Transaction, block_id: str) -> None:
    """Close the list of a block that begins; if it is early, set the timer again."""
    holds.lock_pool(tx, block_id)
    block = places.get_row(tx, block_id)
    if block.starts_at > tx.now:
        tx.publish_later(BeginDue(block_id=block_id), block.starts_at, f"waiting:{block_id}")
    else:
        close(tx, block_id, "begun")


def _leave(tx: Transaction, before: BlockRow, row: WaitingRow) -> None:
    _remove(tx, row)
    places.settle(tx, before.id)
    places.publish_change(tx, before)


def expire_and_publish(tx: Transaction, block_id: str) -> None:
    """Expire overdue offers, offer their places to the next users, and publish all changes."""
    before = places.get_row(tx, block_id)
    withdrawn = expire_offers(tx, block_id)
    places.settle(tx, block_id)
    publish_expired(tx, block_id, withdrawn)
    places.publish_change(tx, before)


def expire_offers(tx: Transaction, block_id: str) -> list[WaitingRow]:
    """Withdraw the overdue offers; the caller publishes them with `publish_expired`.

    Also releases the places of booking requests that were not answered in time. The booking domain
    publishes their expiry.
    """
    holds.release_expired(tx, block_id, places.BOOKING, tx.now)
    overdue = [row for row in waiting_lists.list_offered(tx, block_id) if _is_overdue(tx, row)]
    for row in overdue:
        _remove(tx, row)
    return overdue


def withdraw_offers(tx: Transaction, block_id: str, count: int) -> list[WaitingRow]:
    """Withdraw the last `count` offers; their users stay on the list.

    The caller publishes the withdrawn offers with `publish_expired`.
    """
    last_first = waiting_lists.list_offered(tx, block_id)[::-1]
    for row in last_first[:count]:
        _release_offer(tx, row)
        waiting_lists.keep_offer(tx, replace(row, offer_id=None, offer_expires_at=None))
    return last_first[:count]


def review_offers_between(tx: Transaction, one_id: str, other_id: str) -> None:
    """Withdraw the offers between two users after a block, and look again after its end."""
    apart = bool(blocking.list_separated(tx, one_id, [other_id]))
    waits = [
        (block_id, user_id)
        for consultant_id, user_id in ((one_id, other_id), (other_id, one_id))
        for block_id in schedules.list_waited_of(tx, user_id, consultant_id)
    ]
    for block_id, user_id in sorted(waits):
        if apart:
            _withdraw_offer_of(tx, block_id, user_id)
        else:
            tx.publish(OfferDue(block_id=block_id))


def _withdraw_offer_of(tx: Transaction, block_id: str, user_id: str) -> None:
    """Withdraw a user's offer, if there is one; the user stays on the list."""
    holds.lock_pool(tx, block_id)
    before = places.get_row(tx, block_id)
    row = waiting_lists.find_waiting(tx, block_id, user_id)
    if row is None or row.offer_id is None:
        return
    _release_offer(tx, row)
    waiting_lists.keep_offer(tx, replace(row, offer_id=None, offer_expires_at=None))
    places.settle(tx, block_id)
    publish_expired(tx, block_id, [row])
    places.publish_change(tx, before)


def reset_timers(tx: Transaction, block_id: str) -> None:
    """Set the timers of all valid offers again, in case one fired too early."""
    for row in waiting_lists.list_offered(tx, block_id):
        _set_timer(tx, row)


def publish_expired(tx: Transaction, block_id: str, rows: list[WaitingRow]) -> None:
    """Publish the end of these offers, with the current state of the block."""
    if not rows:
        return
    block = view_of(places.get_row(tx, block_id))
    for row in rows:
        expires_at = row.offer_expires_at or tx.now
        tx.publish(WaitingListOfferExpired(block=block, expires_at=expires_at, user_id=row.user_id))


def use_offer(tx: Transaction, block_id: str, user_id: str) -> None:
    """Release the offered place of a user who is about to take a place."""
    row = waiting_lists.find_waiting(tx, block_id, user_id)
    if row is not None:
        _remove(tx, row)


def offer_free_places(tx: Transaction, block_id: str) -> None:
    """Offer the free places to the first users on the list who can take one, one place each."""
    block = places.get_row(tx, block_id)
    until = _offered_until(tx, block)
    free = block.max_calls - block.taken
    if free <= 0 or until <= tx.now:
        return
    first = _able(tx, block, waiting_lists.list_next(tx, block_id, WAITING_MAX))[:free]
    if first and not places.take_consultants_time(tx, block):
        return  # the consultant has another call then
    expires_at = min(tx.now + tx.rules.span("offer_s"), until)
    for row in first:
        _offer(tx, row, expires_at)
    view = view_of(places.get_row(tx, block_id))
    for row in first:
        tx.publish(WaitingListOffered(block=view, expires_at=expires_at, user_id=row.user_id))


def _offered_until(tx: Transaction, block: BlockRow) -> datetime:
    """When offers of this block end: when it begins, or before the consultant's notice."""
    own = terms.get_terms(tx, block.consultant_id)
    return min(terms.bookable_until(view_of(block), own, 0), block.starts_at)


def _able(tx: Transaction, block: BlockRow, rows: list[WaitingRow]) -> list[WaitingRow]:
    """The rows of users who can take a place: without another call then, and without a block."""
    user_ids = [row.user_id for row in rows]
    unable = {
        *busy.list_busy(tx, user_ids, block.starts_at, block.ends_at),
        *blocking.list_separated(tx, block.consultant_id, user_ids),
    }
    return [row for row in rows if row.user_id not in unable]


def _offer(tx: Transaction, row: WaitingRow, expires_at: datetime) -> None:
    """Reserve a free place for a user on the list until `expires_at`."""
    row.offer_id, row.offer_expires_at = tx.new_id(), expires_at
    hold = Hold(row.block_id, row.offer_id, places.OFFER, row.user_id, tx.now, expires_at)
    holds.take_place(tx, hold)
    waiting_lists.keep_offer(tx, row)
    _set_timer(tx, row)


def _set_timer(tx: Transaction, row: WaitingRow) -> None:
    if row.offer_expires_at is not None:
        due = OfferDue(block_id=row.block_id)
        tx.publish_later(due, row.offer_expires_at, f"offer:{row.offer_id}")


def _is_overdue(tx: Transaction, row: WaitingRow) -> bool:
    return row.offer_expires_at is not None and row.offer_expires_at <= tx.now


def _remove(tx: Transaction, row: WaitingRow) -> None:
    waiting_lists.leave_waiting_list(tx, row.block_id, row.user_id)
    _release_offer(tx, row)


def _release_offer(tx: Transaction, row: WaitingRow) -> None:
    """Release the place of the row's offer, if it has one."""
    if row.offer_id is not None:
        holds.release(tx, row.block_id, row.offer_id)
        tx.cancel_timer(f"offer:{row.offer_id}")
