"""Changes blocks to match the scheduled hours. A booking is cancelled only on explicit request.

A change can affect a thousand blocks: every hour of the week, many weeks ahead. Blocks in which
nobody holds or waits for a place change together, in a few statements; the others one by one.

Invariants:
- The caller has locked the consultant, so that no other transaction changes the schedule.
- The pools of blocks are locked before their places are read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from handlers.consulting.availability.contracts.blocks import BlockView, PlacesWithdrawn
from handlers.consulting.availability.service import lists, places
from handlers.consulting.availability.service.hours import BLOCK
from handlers.consulting.availability.service.views import view_of
from handlers.kit.transaction import Transaction
from storage.consulting.availability import schedules as store
from storage.consulting.availability.schedules import BlockRow
from storage.consulting.availability.waiting_lists import WaitingRow
from storage.events import holds

BATCH_MAX = 500


@dataclass
class BookingPolicy:
    """Whether a change of weeks may take places away from bookings."""

    keeps_booked: bool
    cancels: bool = False
    lost: list[str] = field(default_factory=list)
    """The ids of the bookings that lose their place."""


def fit(
    tx: Transaction, rows: list[BlockRow], wanted: Mapping[datetime, int], policy: BookingPolicy
) -> list[BlockView]:
    """Give blocks the `wanted` number of places, by their start, and withdraw all other blocks.

    Returns the changed blocks, for the one event that the caller publishes about all of them.
    Bookings that remain keep their places. A block in which somebody has or had a place also gets
    events of its own.
    """
    changes = {row.id: wanted.get(row.starts_at, 0) for row in rows}
    changing = [row.id for row in rows if _differs(row, changes[row.id], policy)]
    closing = [one for one in changing if not changes[one]]
    others = [one for one in changing if changes[one]]
    changed: list[BlockView | None] = []
    # Closing comes first: a block that opens may need the time of one that closes.
    for part in (*batches(closing), *batches(others)):
        holds.lock_pools(tx, part)
        empty = {row.id: row for row in store.list_empty(tx, part)}
        changed += _fit_empty(tx, list(empty.values()), changes)
        changed += [_fit_one(tx, one, changes[one], policy) for one in part if one not in empty]
    return [view for view in changed if view is not None]


def batches(ids: list[str]) -> Iterator[list[str]]:
    for first in range(0, len(ids), BATCH_MAX):
        yield ids[first : first + BATCH_MAX]


def make_blocks(
    tx: Transaction, consultant_id: str, wanted: Mapping[datetime, int]
) -> list[BlockView]:
    """Create blocks at the starts in `wanted`, with the number of places given there."""
    rows = [
        BlockRow(tx.new_id(), consultant_id, start, start + BLOCK, calls, False, calls, 0)
        for start, calls in wanted.items()
    ]
    store.insert_blocks(tx, rows)
    return places.views_of(tx, consultant_id, rows)


def _differs(row: BlockRow, max_calls: int, policy: BookingPolicy) -> bool:
    return row.wanted_calls != max_calls or not (policy.keeps_booked or row.taken <= max_calls)


def _fit_empty(
    tx: Transaction, rows: list[BlockRow], changes: Mapping[str, int]
) -> list[BlockView | None]:
    """Change blocks in which nobody holds or waits for a place."""
    fitted = [
        replace(
            row,
            wanted_calls=changes[row.id],
            cancelled=changes[row.id] == 0,
            max_calls=changes[row.id] or row.max_calls,
        )
        for row in rows
    ]
    pairs = zip(rows, fitted, strict=True)
    toggled = {before.id for before, after in pairs if before.cancelled != after.cancelled}
    store.keep_empty(tx, fitted, toggled)
    return [_changed_view(before, after) for before, after in zip(rows, fitted, strict=True)]


def _fit_one(
    tx: Transaction, block_id: str, max_calls: int, policy: BookingPolicy
) -> BlockView | None:
    """Change one block as far as its remaining bookings allow; the pool must be locked."""
    before = places.get_row(tx, block_id)
    withdrawn = lists.expire_offers(tx, block_id)
    withdrawn += _make_room(tx, block_id, max_calls, policy)
    store.set_wanted(tx, block_id, max_calls)
    places.settle(tx, block_id)
    lists.publish_expired(tx, block_id, withdrawn)
    after = places.get_row(tx, block_id)
    if before.taken or after.taken:
        places.publish_change(tx, before)
    return _changed_view(before, after)


def _changed_view(before: BlockRow, after: BlockRow) -> BlockView | None:
    view = view_of(after)
    return view if view != view_of(before) else None


def _make_room(
    tx: Transaction, block_id: str, max_calls: int, policy: BookingPolicy
) -> list[WaitingRow]:
    """Release places beyond `max_calls`: the last offers first, then the newest bookings.

    Bookings lose their places only if the policy allows it. Returns the withdrawn offers.
    """
    held = holds.list_holds(tx, block_id)
    if len(held) <= max_calls:
        return []
    withdrawn = lists.withdraw_offers(tx, block_id, len(held) - max_calls)
    booked = [hold.for_id for hold in held if hold.kind == places.BOOKING]
    beyond = [] if policy.keeps_booked else booked[max_calls:]
    if beyond:
        policy.lost += beyond
        _withdraw_places(tx, block_id, beyond)
    return withdrawn


def _withdraw_places(tx: Transaction, block_id: str, booking_ids: list[str]) -> None:
    for booking_id in booking_ids:
        holds.release(tx, block_id, booking_id)
    block = places.get_row(tx, block_id)
    tx.publish(
        PlacesWithdrawn(
            block_id=block_id, consultant_id=block.consultant_id, booking_ids=booking_ids
        )
    )
