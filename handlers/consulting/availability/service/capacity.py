"""Blocks are brought in line with the hours that are wanted; no booking is lost unasked.

A week of all hours, many weeks ahead, is a thousand blocks. Those in which nobody has a place are
changed together, in a few statements; the others one by one. Whoever calls holds the consultant, so
nobody else changes what is wanted; pools are held before it is looked who has places in them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace

from handlers.consulting.availability.contracts import BlockView, PlacesWithdrawn
from handlers.consulting.availability.service import lists, places
from handlers.kit.transaction import Transaction
from storage.consulting.availability import schedules as store
from storage.consulting.availability.schedules import BlockRow
from storage.consulting.availability.waiting_lists import WaitingRow
from storage.events import holds

BLOCK = timedelta(hours=1)
TOGETHER = 500


@dataclass
class Wish:
    """How far a change of weeks may go against what is booked."""

    keeps_booked: bool
    cancels: bool = False
    lost: list[str] = field(default_factory=list)
    """The bookings that lose their place by it."""


def fit(
    tx: Transaction, rows: list[BlockRow], wanted: Mapping[datetime, int], wish: Wish
) -> list[BlockView]:
    """Let blocks have as many places as are `wanted` at their start, or none; gives what changed.

    Bookings that stay keep theirs. One event tells of all blocks that changed; beside it only those
    are told one by one in which somebody has or had a place.
    """
    changes = {row.id: wanted.get(row.starts_at, 0) for row in rows}
    off = [row.id for row in rows if _is_off(row, changes[row.id], wish)]
    changed: list[BlockView | None] = []
    for first in range(0, len(off), TOGETHER):
        part = off[first : first + TOGETHER]
        holds.lock_pools(tx, part)
        empty = {row.id: row for row in store.list_empty(tx, part)}
        changed += _fit_empty(tx, list(empty.values()), changes)
        changed += [_fit_one(tx, one, changes[one], wish) for one in part if one not in empty]
    return [view for view in changed if view is not None]


def make(tx: Transaction, consultant_id: str, wanted: Mapping[datetime, int]) -> list[BlockView]:
    """New blocks with so many places at these starts."""
    rows = [
        BlockRow(tx.new_id(), consultant_id, start, start + BLOCK, calls, False, calls, 0)
        for start, calls in wanted.items()
    ]
    store.insert_blocks(tx, rows)
    return [places.view_of(row) for row in rows]


def _is_off(row: BlockRow, max_calls: int, wish: Wish) -> bool:
    return row.wanted_calls != max_calls or not (wish.keeps_booked or row.taken <= max_calls)


def _fit_empty(
    tx: Transaction, rows: list[BlockRow], changes: Mapping[str, int]
) -> list[BlockView | None]:
    """Nobody has a place in these, nor waits for one."""
    fitted = [
        replace(
            row,
            wanted_calls=changes[row.id],
            cancelled=changes[row.id] == 0,
            max_calls=changes[row.id] or row.max_calls,
        )
        for row in rows
    ]
    store.keep_empty(tx, fitted)
    return [_told(before, after) for before, after in zip(rows, fitted, strict=True)]


def _fit_one(tx: Transaction, block_id: str, max_calls: int, wish: Wish) -> BlockView | None:
    """As far as bookings that stay let it; its pool is held."""
    before = places.get_row(tx, block_id)
    withdrawn = lists.expire_offers(tx, block_id)
    withdrawn += _make_room(tx, block_id, max_calls, wish)
    store.set_wanted(tx, block_id, max_calls)
    places.settle(tx, block_id)
    lists.tell_expired(tx, block_id, withdrawn)
    after = places.get_row(tx, block_id)
    if before.taken or after.taken:
        places.tell_change(tx, before)
    return _told(before, after)


def _told(before: BlockRow, after: BlockRow) -> BlockView | None:
    view = places.view_of(after)
    return view if view != places.view_of(before) else None


def _make_room(tx: Transaction, block_id: str, max_calls: int, wish: Wish) -> list[WaitingRow]:
    """Release what is held beyond `max_calls`: last offers, then (if wished) newest bookings.

    Gives the offers that were withdrawn.
    """
    held = holds.list_holds(tx, block_id)
    if len(held) <= max_calls:
        return []
    withdrawn = lists.withdraw_offers(tx, block_id, len(held) - max_calls)
    booked = [hold.for_id for hold in held if hold.kind == places.BOOKING]
    beyond = [] if wish.keeps_booked else booked[max_calls:]
    if beyond:
        wish.lost += beyond
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
