"""Waiting lists: a freed place is offered to the first, for a while, then to the next.

An offer is a hold like any other, so nobody can take the place meanwhile. Whoever finds an expired
offer first publishes its expiry and offers the place on; the timer is only the latest to look.
"""

from datetime import datetime

from handlers.availability.contracts import (
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
from handlers.availability.service import places
from handlers.kit.context import Transaction
from handlers.kit.contract import Empty
from handlers.kit.errors import NotFound
from storage import availability as store
from storage import holds
from storage.availability import WaitingRow
from storage.holds import Hold


def join(tx: Transaction, ask: JoinWaitingList) -> PositionView:
    block = places.get_open_block(tx, ask.block_id)
    if block.consultant_id == tx.actor.id:
        raise OwnBlock
    holds.lock_pool(tx, block.id)
    expire_and_tell(tx, block.id)
    if not _waiting(tx, block.id, tx.actor.id):
        if any(hold.holder_id == tx.actor.id for hold in holds.list_holds(tx, block.id)):
            raise AlreadyHolds
        if places.view_of(places.get_row(tx, block.id)).status != "full":
            raise BlockNotFull
        store.join_waiting_list(tx, block.id, tx.actor.id, tx.now)
    order = [row.user_id for row in store.list_waiting(tx, block.id)]
    return PositionView(position=order.index(tx.actor.id) + 1)


def leave(tx: Transaction, ask: LeaveWaitingList) -> Empty:
    """Leave the list; who has an offer declines it."""
    holds.lock_pool(tx, ask.block_id)
    before = places.get_row(tx, ask.block_id)
    row = _waiting(tx, before.id, tx.actor.id)
    if row is None:
        raise NotFound
    _drop(tx, row)
    offer_free_places(tx, before.id)
    places.tell_change(tx, before)
    return Empty()


def expire_and_tell(tx: Transaction, block_id: str) -> None:
    """Expire offers that are over, offer their places on, and tell what changed."""
    before = places.get_row(tx, block_id)
    withdrawn = expire_offers(tx, block_id)
    offer_free_places(tx, block_id)
    tell_expired(tx, block_id, withdrawn)
    places.tell_change(tx, before)


def expire_offers(tx: Transaction, block_id: str) -> list[WaitingRow]:
    """Take back the offers whose time is over, to be told with `tell_expired`.

    A request that nobody answered in time holds its place no more either; that it expired is its
    own domain's to tell.
    """
    for hold in holds.list_holds(tx, block_id):
        if hold.kind == places.BOOKING and hold.expires_at and hold.expires_at <= tx.now:
            holds.release(tx, block_id, hold.for_id)
    over = [
        row
        for row in store.list_waiting(tx, block_id)
        if row.offer_expires_at is not None and row.offer_expires_at <= tx.now
    ]
    for row in over:
        _drop(tx, row)
    return over


def withdraw_offers(tx: Transaction, block_id: str) -> list[WaitingRow]:
    """Take back every offer of a block, to be told with `tell_expired`, and close its list."""
    waiting = store.list_waiting(tx, block_id)
    for row in waiting:
        _drop(tx, row)
    return [row for row in waiting if row.offer_id is not None]


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
    row = _waiting(tx, block_id, user_id)
    if row is not None:
        _drop(tx, row)


def offer_free_places(tx: Transaction, block_id: str) -> None:
    """Offer what is free to the first on the list, one place each."""
    block = places.get_row(tx, block_id)
    if block.cancelled or block.ends_at <= tx.now:
        return
    waiting = [row for row in store.list_waiting(tx, block_id) if row.offer_id is None]
    expires_at = min(tx.now + tx.rules.span("offer_s"), block.ends_at)
    first = [row for row in waiting[: block.max_calls - block.taken] if _keep(tx, row, expires_at)]
    view = places.view_of(places.get_row(tx, block_id))
    for row in first:
        tx.publish(WaitingListOffered(block=view, expires_at=expires_at, user_id=row.user_id))


def _keep(tx: Transaction, row: WaitingRow, expires_at: datetime) -> bool:
    """Keep a place for somebody on the list; False when there is none."""
    row.offer_id, row.offer_expires_at = tx.new_id(), expires_at
    hold = Hold(row.block_id, row.offer_id, places.OFFER, row.user_id, tx.now, expires_at)
    if not holds.take_place(tx, hold):
        return False
    store.keep_offer(tx, row)
    tx.publish_later(OfferDue(block_id=row.block_id), expires_at, f"offer:{row.offer_id}")
    return True


def _drop(tx: Transaction, row: WaitingRow) -> None:
    store.leave_waiting_list(tx, row.block_id, row.user_id)
    if row.offer_id is not None:
        holds.release(tx, row.block_id, row.offer_id)
        tx.cancel_timer(f"offer:{row.offer_id}")


def _waiting(tx: Transaction, block_id: str, user_id: str) -> WaitingRow | None:
    rows = (row for row in store.list_waiting(tx, block_id) if row.user_id == user_id)
    return next(rows, None)
