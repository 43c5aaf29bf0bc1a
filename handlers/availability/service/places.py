"""Places in blocks: held, freed, offered on; and every change of a count is told."""

from datetime import datetime, timedelta

from handlers.availability.contracts import (
    AvailabilityBlockAvailable,
    AvailabilityBlockFull,
    AvailabilityStatus,
    AvailabilityUpdated,
    BlockFull,
    BlockPast,
    BlockView,
    CheckAvailability,
    ListBlocks,
    ListedBlocksView,
)
from handlers.availability.service import lists
from handlers.consultants import public as consultants
from handlers.kit.context import Transaction
from handlers.kit.errors import Invalid, NotFound
from rooms import names
from storage import availability as store
from storage import holds
from storage.availability import BlockRow
from storage.holds import Hold

NAMESPACE = "/availability"
RANGE_MAX = timedelta(days=92)
BLOCKS_MAX = 2_300
BOOKING, OFFER = "booking", "offer"


def list_blocks(tx: Transaction, ask: ListBlocks) -> ListedBlocksView:
    if not ask.from_ < ask.to <= ask.from_ + RANGE_MAX:
        expected = f"a moment after `from`, at most {RANGE_MAX.days} days"
        raise Invalid(details={"path": "$.to", "expected": expected})
    if not consultants.exists(tx, ask.consultant_id):
        raise NotFound
    rows = store.list_blocks(tx, ask.consultant_id, ask.from_, ask.to, BLOCKS_MAX)
    seq = tx.head(NAMESPACE, names.consultant(ask.consultant_id))
    return ListedBlocksView(blocks=[view_of(row) for row in rows], seq=seq)


def check(tx: Transaction, ask: CheckAvailability) -> AvailabilityStatus:
    if not consultants.exists(tx, ask.consultant_id):
        raise NotFound
    just_after = ask.at + timedelta(microseconds=1)
    rows = store.list_blocks(tx, ask.consultant_id, ask.at, just_after, BLOCKS_MAX)
    statuses = {view_of(row).status for row in rows}
    if "available" in statuses:
        return AvailabilityStatus(status="available")
    return AvailabilityStatus(status="full" if "full" in statuses else "unavailable")


def hold_place(
    tx: Transaction, block_id: str, for_id: str, holder_id: str, expires_at: datetime
) -> BlockView:
    """Take a place for somebody (their offer first); raises NotFound, BlockPast, BlockFull."""
    holds.lock_pool(tx, block_id)
    before = get_open_block(tx, block_id)
    withdrawn = lists.expire_offers(tx, block_id)
    lists.offer_free_places(tx, block_id)
    lists.use_offer(tx, block_id, holder_id)
    expires_at = min(expires_at, before.ends_at)
    hold = Hold(block_id, for_id, BOOKING, holder_id, tx.now, expires_at)
    if not holds.take_place(tx, hold):
        raise BlockFull
    lists.offer_free_places(tx, block_id)
    lists.tell_expired(tx, block_id, withdrawn)
    return tell_change(tx, before)


def free_place(tx: Transaction, block_id: str, for_id: str) -> None:
    """Give a place back, once; the first on the waiting list is offered it."""
    holds.lock_pool(tx, block_id)
    before = get_row(tx, block_id)
    if holds.release(tx, block_id, for_id):
        lists.offer_free_places(tx, block_id)
        tell_change(tx, before)


def tell_change(tx: Transaction, before: BlockRow) -> BlockView:
    """Publish what became of a block, if anything; gives it as it is now."""
    old, new = view_of(before), view_of(get_row(tx, before.id))
    if old.status != new.status and new.status == "full":
        tx.publish(AvailabilityBlockFull(block=new))
    if old.status != new.status and new.status == "available":
        tx.publish(AvailabilityBlockAvailable(block=new))
    if (old.taken, old.max_calls, old.status) != (new.taken, new.max_calls, new.status):
        tx.publish(AvailabilityUpdated(block=new))
    return new


def get_row(tx: Transaction, block_id: str) -> BlockRow:
    row = store.find_block(tx, block_id)
    if row is None:
        raise NotFound
    return row


def get_open_block(tx: Transaction, block_id: str) -> BlockRow:
    """A block that can be asked for; raises NotFound or BlockPast."""
    row = get_row(tx, block_id)
    if row.cancelled:
        raise NotFound
    if row.ends_at <= tx.now:
        raise BlockPast
    return row


def view_of(row: BlockRow) -> BlockView:
    full = row.taken >= row.max_calls
    return BlockView(
        id=row.id,
        consultant_id=row.consultant_id,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        max_calls=row.max_calls,
        taken=row.taken,
        status="cancelled" if row.cancelled else "full" if full else "available",
    )
