"""Functions on blocks that other domains call inside their own transactions."""

from handlers.consulting.availability.contracts import BlockView
from handlers.consulting.availability.service import now, places
from handlers.consulting.availability.service.places import (
    free_place,
    has_place,
    hold_place,
    keep_place,
)
from handlers.kit.transaction import Transaction
from storage.events import holds

__all__ = [
    "find_block",
    "free_place",
    "has_place",
    "hold_place",
    "is_available_now",
    "keep_place",
    "lock_blocks",
]


def find_block(tx: Transaction, block_id: str) -> BlockView:
    """Raises NotFound."""
    return places.view_of(places.get_row(tx, block_id))


def lock_blocks(tx: Transaction, *block_ids: str) -> None:
    """Lock several blocks in a fixed order, so that concurrent swaps cannot deadlock."""
    for block_id in sorted(block_ids):
        holds.lock_pool(tx, block_id)


def is_available_now(tx: Transaction, consultant_id: str) -> bool:
    return now.get_row(tx, consultant_id).available
