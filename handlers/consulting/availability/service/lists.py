"""Waiting lists: a freed place is offered to the first, for a while, then to the next.

An offer is a hold like any other, so nobody can take the place meanwhile. Whoever finds an expired
offer first publishes its expiry and offers the place on; the timer is only the latest to look.
"""

from datetime import datetime

from msgspec.structs import replace

from handlers.consulting.availability.contracts import (
    AlreadyHolds,
    BlockNotFull,
    JoinWaitingList,
    LeaveWaitingList,
    OfferDue,
    OwnBlock,
    PositionView,
    WaitingListOffered,
    WaitingListOfferExpired,
)
from handlers.consulting.availability.service import places
from handlers.kit.contract import Empty
from handlers.kit.errors import Conflict, NotFound
from handlers.kit.transaction import Transaction
from storage.consulting.availability import waiting_lists
from storage.consulting.availability.schedules import BlockRow
from storage.consulting.availability.waiting_lists import WaitingRow
from storage.events import holds
from storage.events.holds import Hold

WAITING_MAX = 200


def join(tx: Transaction, ask: JoinWaitingList) -> PositionView:
    holds.lock_pool(tx, ask.block_id)
    block = places.get_open_block(tx, ask.block_id)
    if block.consultant_id == tx.actor.id:
        raise OwnBlock
    expire_and_tell(tx, block.id)
    row = waiting_lists.find_waiting(tx, block.id, tx.actor.id) or _stand_in_line(tx, block.id)
    return PositionView(position=waiting_lists.get_position(tx, row))


def _stand_in_line(tx: Transaction, block_id: str) -> WaitingRow:
    """Put the actor at the end; raises AlreadyHolds, BlockNotFull, or Conflict for a long list."""
    if any(hold.holder_id == tx.actor.id for hold in holds.list_holds(tx, block_id)):
        raise AlreadyHolds
    if places.view_of(places.get_open_block(tx, block_id)).status != "full":
        raise BlockNotFull
    if waiting_lists.count_waiting(tx, block_id) >= WAITING_MAX:
        raise Conflict("The waiting list of this block is full.", details={"most": WAITING_MAX})
    row = WaitingRow(block_id, tx.actor.id, tx.now, None, None)
    waiting_lists.join_waiting_list(tx, row)
    return row


def leave(tx: Transaction, ask: LeaveWaitingList) -> Empty:
    """Leave the list; who has an offer declines it."""
    holds.lock_pool(tx, ask.block_id)
    before = places.get_row(tx, ask.block_id)
    row = waiting_lists.find_waiting(tx, before.id, tx.actor.id)
    if row is None:
        raise NotFound
    _leave(tx, before, row)
    return Empty()


def leave_all(tx: Transaction, user_id: str, limit: int) -> int:
    """Take somebody off at most so many lists; how many."""
    waits = waiting_lists.list_waits(tx, user_id, limit)
    for one in waits:
        holds.lock_pool(tx, one.block_id)
        row = waiting_lists.find_waiting(tx, one.block_id, user_id)
        if row is not None:
            _leave(tx, places.get_row(tx, one.block_id), row)
    return len(waits)


def _leave(tx: Transaction, before: BlockRow, row: WaitingRow) -> None:
    _drop(tx, row)
    places.settle(tx, before.id)
    places.tell_change(tx, before)


def expire_and_tell(tx: Transaction, block_id: str) -> None:
    """Expire offers that are over, offer their places on, and tell what changed."""
    before = places.get_row(tx, block_id)
    withdrawn = expire_offers(tx, block_id)
    places.settle(tx, block_id)
    tell_expired(tx, block_id, withdrawn)
    places.tell_change(tx, before)


def expire_offers(tx: Transaction, block_id: str) -> list[WaitingRow]:
    """Take back the offers whose time is over, to be told with `tell_expired`.

    A request that nobody answered in time holds its place no more either; that it expired is its
    own domain's to tell.
    """
    holds.release_expired(tx, block_id, places.BOOKING, tx.now)
    over = [row for row in waiting_lists.list_offered(tx, block_id) if _is_over(tx, row)]
    for row in over:
        _drop(tx, row)
    return over


def withdraw_offers(tx: Transaction, block_id: str, count: int) -> list[WaitingRow]:
    """Take back the offers of the last in line, to be told with `tell_expired`; they wait on."""
    last_first = waiting_lists.list_offered(tx, block_id)[::-1]
    for row in last_first[:count]:
        _free(tx, row)
        waiting_lists.keep_offer(tx, replace(row, offer_id=None, offer_expires_at=None))
    return last_first[:count]


def look_again(tx: Transaction, block_id: str) -> None:
    """Set the timers of the offers that stand: one that fired too early would be lost."""
    for row in waiting_lists.list_offered(tx, block_id):
        _look_later(tx, row)


def tell_expired(tx: Transaction, block_id: str, rows: list[WaitingRow]) -> None:
    """Tell whose offer is over, with the block as it has become."""
    if not rows:
        return
    block = places.view_of(places.get_row(tx, block_id))
    for row in rows:
        expires_at = row.offer_expires_at or tx.now
        tx.publish(WaitingListOfferExpired(block=block, expires_at=expires_at, user_id=row.user_id))


def use_offer(tx: Transaction, block_id: str, user_id: str) -> None:
    """Free the place that was kept for this person, who is about to take one."""
    row = waiting_lists.find_waiting(tx, block_id, user_id)
    if row is not None:
        _drop(tx, row)


def offer_free_places(tx: Transaction, block_id: str) -> None:
    """Offer what is free to the first on the list, one place each."""
    block = places.get_row(tx, block_id)
    first = waiting_lists.list_next(tx, block_id, block.max_calls - block.taken)
    expires_at = min(tx.now + tx.rules.span("offer_s"), block.ends_at)
    for row in first:
        _keep(tx, row, expires_at)
    view = places.view_of(places.get_row(tx, block_id))
    for row in first:
        tx.publish(WaitingListOffered(block=view, expires_at=expires_at, user_id=row.user_id))


def _keep(tx: Transaction, row: WaitingRow, expires_at: datetime) -> None:
    """Keep a free place for somebody on the list."""
    row.offer_id, row.offer_expires_at = tx.new_id(), expires_at
    hold = Hold(row.block_id, row.offer_id, places.OFFER, row.user_id, tx.now, expires_at)
    holds.take_place(tx, hold)
    waiting_lists.keep_offer(tx, row)
    _look_later(tx, row)


def _look_later(tx: Transaction, row: WaitingRow) -> None:
    if row.offer_expires_at is not None:
        due = OfferDue(block_id=row.block_id)
        tx.publish_later(due, row.offer_expires_at, f"offer:{row.offer_id}")


def _is_over(tx: Transaction, row: WaitingRow) -> bool:
    return row.offer_expires_at is not None and row.offer_expires_at <= tx.now


def _drop(tx: Transaction, row: WaitingRow) -> None:
    waiting_lists.leave_waiting_list(tx, row.block_id, row.user_id)
    _free(tx, row)


def _free(tx: Transaction, row: WaitingRow) -> None:
    """Free the place of their offer, if they have one."""
    if row.offer_id is not None:
        holds.release(tx, row.block_id, row.offer_id)
        tx.cancel_timer(f"offer:{row.offer_id}")
