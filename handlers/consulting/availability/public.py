"""Functions on blocks that other domains call inside their own transactions."""

from datetime import datetime

from handlers.consulting.availability.contracts.blocks import BlockView
from handlers.consulting.availability.service import clashes, now, places
from handlers.consulting.availability.service.places import (
    free_place,
    has_place,
    hold_place,
    keep_place,
)
from handlers.consulting.availability.service.terms import bookable_until, check_bookable, get_terms
from handlers.consulting.availability.service.views import view_of
from handlers.kit.transaction import Transaction
from storage.consulting.availability import busy
from storage.consulting.availability.busy import Span
from storage.events import holds

__all__ = [
    "bookable_until",
    "check_bookable",
    "find_block",
    "free_place",
    "free_time",
    "get_terms",
    "has_place",
    "hold_place",
    "is_available_now",
    "keep_place",
    "list_time_holders",
    "lock_blocks",
    "take_time",
]


def find_block(tx: Transaction, block_id: str) -> BlockView:
    """Raises NotFound."""
    return view_of(places.get_row(tx, block_id))


def lock_blocks(tx: Transaction, *block_ids: str) -> None:
    """Lock several blocks in a fixed order, so that concurrent swaps cannot deadlock."""
    for block_id in sorted(block_ids):
        holds.lock_pool(tx, block_id)


def take_time(
    tx: Transaction, user_id: str, booking_id: str, starts_at: datetime, ends_at: datetime
) -> bool:
    """Take a student's time for a booking; returns False if they have another call then.

    A consultant's blocks with held places count as calls too.
    """
    if not busy.take_time(tx, Span(user_id, booking_id, starts_at, ends_at)):
        return False
    clashes.publish_neighbours(tx, user_id, starts_at, ends_at)
    return True


def free_time(
    tx: Transaction, user_id: str, booking_id: str, starts_at: datetime, ends_at: datetime
) -> None:
    """Free a student's time of a booking."""
    busy.free_time(tx, booking_id)
    clashes.offer_again(tx, user_id, starts_at, ends_at)
    clashes.publish_neighbours(tx, user_id, starts_at, ends_at)


def list_time_holders(
    tx: Transaction, user_id: str, starts_at: datetime, ends_at: datetime
) -> list[str]:
    """The ids of the bookings and of the user's own blocks that have this time."""
    return busy.list_holders(tx, user_id, starts_at, ends_at)


def is_available_now(tx: Transaction, consultant_id: str) -> bool:
    return now.get_row(tx, consultant_id).available
