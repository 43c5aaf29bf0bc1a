"""Places in blocks: taken, released and offered to others. Every change of a count is published."""

from datetime import datetime, timedelta

from handlers.consulting.availability.contracts.blocks import (
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
from handlers.consulting.availability.service import clashes, lists
from handlers.consulting.availability.service.views import view_of
from handlers.consulting.consultants import public as consultants
from handlers.consulting.consultants.contracts import consultant_room
from handlers.kit.errors import Invalid, NotFound
from handlers.kit.transaction import Transaction
from storage.consulting.availability import busy
from storage.consulting.availability import schedules as store
from storage.consulting.availability.schedules import BlockRow
from storage.events import holds
from storage.events.holds import Hold

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
    return ListedBlocksView(
        blocks=views_of(tx, ask.consultant_id, rows),
        waits=lists.list_waits_in(tx, rows),
        held=list_held_in(tx, rows),
        seq=tx.head(NAMESPACE, consultant_room(ask.consultant_id)),
    )


def list_held_in(tx: Transaction, rows: list[BlockRow]) -> list[str]:
    """The ids of the blocks in which the actor holds a place; offers do not count."""
    taken = [row.id for row in rows if row.taken]
    if tx.visitor or not taken:
        return []
    return holds.list_pools_of(tx, tx.actor.id, BOOKING, taken)


def views_of(tx: Transaction, consultant_id: str, rows: list[BlockRow]) -> list[BlockView]:
    """Blocks of one consultant, as they can be booked now."""
    clashing = clashes.list_clashing(tx, consultant_id, rows)
    return [view_of(row, clashes=row.id in clashing) for row in rows]


def check(tx: Transaction, ask: CheckAvailability) -> AvailabilityStatus:
    if not consultants.exists(tx, ask.consultant_id):
        raise NotFound
    just_after = ask.at + timedelta(microseconds=1)
    rows = store.list_blocks(tx, ask.consultant_id, ask.at, just_after, BLOCKS_MAX)
    statuses = {view.status for view in views_of(tx, ask.consultant_id, rows)}
    if "available" in statuses:
        return AvailabilityStatus(status="available")
    return AvailabilityStatus(status="full" if "full" in statuses else "unavailable")


def hold_place(
    tx: Transaction, block_id: str, for_id: str, holder_id: str, expires_at: datetime | None
) -> BlockView:
    """Take a place for `holder_id`, who uses their waiting-list offer first.

    Without `expires_at`, the place does not expire. Raises NotFound, BlockPast, BlockFull.
    """
    holds.lock_pool(tx, block_id)
    before = get_row(tx, block_id)
    withdrawn = lists.expire_offers(tx, block_id)
    settle(tx, block_id)
    block = get_open_block(tx, block_id)
    lists.use_offer(tx, block_id, holder_id)
    ends = None if expires_at is None else min(expires_at, block.ends_at)
    if not holds.take_place(tx, Hold(block_id, for_id, BOOKING, holder_id, tx.now, ends)):
        raise BlockFull
    if not take_consultants_time(tx, block):
        raise BlockFull("The consultant has another call at this time.")
    settle(tx, block_id)
    lists.publish_expired(tx, block_id, withdrawn)
    return publish_change(tx, before)


def free_place(tx: Transaction, block_id: str, for_id: str) -> None:
    """Release a place and offer it to the first user on the waiting list; idempotent."""
    holds.lock_pool(tx, block_id)
    before = get_row(tx, block_id)
    if holds.release(tx, block_id, for_id):
        settle(tx, block_id)
        publish_change(tx, before)


def keep_place(tx: Transaction, block_id: str, for_id: str) -> bool:
    """Remove the expiry of a held place; returns False if the place is no longer held."""
    holds.lock_pool(tx, block_id)
    return holds.make_firm(tx, block_id, for_id)


def has_place(tx: Transaction, block_id: str, for_id: str) -> bool:
    """Whether a place is held for `for_id`; the lock keeps it so until the commit."""
    holds.lock_pool(tx, block_id)
    return holds.find_hold(tx, block_id, for_id) is not None


def settle(tx: Transaction, block_id: str) -> None:
    """Adjust a block after places were released or its wanted number changed.

    Its capacity becomes the wanted number, or the number of held places if that is higher. A block
    without capacity is cancelled, and its waiting list is closed. Otherwise the free places are
    offered to the waiting list.
    """
    block = get_row(tx, block_id)
    if block.ends_at <= tx.now:
        return
    capacity = max(block.wanted_calls, block.taken)
    if block.cancelled != (capacity == 0):
        store.set_cancelled(tx, block, capacity == 0)
    if capacity == 0:
        busy.free_time(tx, block_id)
        lists.close(tx, block_id, "withdrawn")
        return
    holds.resize_pool(tx, block_id, capacity)
    if not block.taken:
        busy.free_time(tx, block_id)
    lists.offer_free_places(tx, block_id)


def take_consultants_time(tx: Transaction, block: BlockRow) -> bool:
    """Take the consultant's time for a block with a held place.

    Returns False if they have another call then, or within the buffer.
    """
    return busy.take_time(tx, clashes.span_of(tx, block))


def publish_change(tx: Transaction, before: BlockRow) -> BlockView:
    """Publish the difference between `before` and now, if any; returns the current block."""
    old, new = view_of(before), view_of(get_row(tx, before.id))
    if old.status != new.status and new.status == "full":
        tx.publish(AvailabilityBlockFull(block=new))
    if old.status != new.status and new.status == "available":
        tx.publish(AvailabilityBlockAvailable(block=new))
    if (old.taken, old.max_calls, old.status) != (new.taken, new.max_calls, new.status):
        tx.publish(AvailabilityUpdated(block=new))
    if (old.taken == 0) != (new.taken == 0):
        span = (old.starts_at, old.ends_at)
        clashes.publish_neighbours(tx, old.consultant_id, *span, but=old.id)
    return new


def get_row(tx: Transaction, block_id: str) -> BlockRow:
    row = store.find_block(tx, block_id)
    if row is None:
        raise NotFound
    return row


def get_open_block(tx: Transaction, block_id: str) -> BlockRow:
    """A block that can be requested; raises NotFound or BlockPast."""
    row = get_row(tx, block_id)
    if row.cancelled:
        raise NotFound
    if row.ends_at <= tx.now:
        raise BlockPast
    return row
