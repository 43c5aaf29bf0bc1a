"""Free blocks that cannot be booked now, because their consultant has another call at that time."""

from datetime import datetime, timedelta

from handlers.consulting.availability.contracts.blocks import AvailabilityUpdated
from handlers.consulting.availability.contracts.waiting_lists import OfferDue
from handlers.consulting.availability.service import terms
from handlers.consulting.availability.service.views import view_of
from handlers.kit.transaction import Transaction
from storage.consulting.availability import busy, waiting_lists
from storage.consulting.availability import schedules as store
from storage.consulting.availability.busy import QUARTER, Span
from storage.consulting.availability.schedules import BlockRow

BUFFER_MAX = timedelta(hours=2)
NEIGHBOURS_MAX = 40


def span_of(tx: Transaction, block: BlockRow) -> Span:
    """The time that a booked block takes from its consultant: the hour, and the buffer after it."""
    ends_at = block.ends_at + buffer_of(tx, block.consultant_id)
    return Span(block.consultant_id, block.id, block.starts_at, ends_at)


def buffer_of(tx: Transaction, consultant_id: str) -> timedelta:
    """The consultant's buffer, in whole quarters of an hour."""
    minutes = terms.get_terms(tx, consultant_id).buffer_minutes
    return -(-timedelta(minutes=minutes) // QUARTER) * QUARTER


def list_clashing(tx: Transaction, consultant_id: str, rows: list[BlockRow]) -> set[str]:
    """The ids of open blocks in `rows` without bookings whose time something else has."""
    free = [row for row in rows if _is_free(row)]
    if not free:
        return set()
    buffer = buffer_of(tx, consultant_id)
    first, end = min(row.starts_at for row in free), max(row.ends_at for row in free) + buffer
    holders = busy.list_quarters(tx, consultant_id, first, end)
    return {row.id for row in free if _is_taken(row, buffer, holders)}


def publish_neighbours(
    tx: Transaction, user_id: str, starts_at: datetime, ends_at: datetime, but: str = ""
) -> None:
    """Publish the free blocks of a user, except `but`, whose time was just taken or freed."""
    near = store.list_blocks(
        tx, user_id, starts_at - BUFFER_MAX, ends_at + BUFFER_MAX, NEIGHBOURS_MAX
    )
    free = [row for row in near if row.id != but and _is_free(row) and row.ends_at > tx.now]
    if not free:
        return
    buffer = buffer_of(tx, user_id)
    touched = [
        row for row in free if row.ends_at + buffer > starts_at and row.starts_at < ends_at + buffer
    ]
    clashing = list_clashing(tx, user_id, touched)
    for row in touched:
        tx.publish(AvailabilityUpdated(block=view_of(row, clashes=row.id in clashing)))
        if row.id not in clashing and waiting_lists.count_waiting(tx, row.id):
            tx.publish(OfferDue(block_id=row.id))


def offer_again(tx: Transaction, user_id: str, starts_at: datetime, ends_at: datetime) -> None:
    """Look again at the waiting lists of a user who has no call at this time any more."""
    for block_id in store.list_waited(tx, user_id, starts_at, ends_at):
        tx.publish(OfferDue(block_id=block_id))


def _is_free(row: BlockRow) -> bool:
    return not row.cancelled and row.taken == 0


def _is_taken(row: BlockRow, buffer: timedelta, holders: dict[datetime, str]) -> bool:
    quarter = row.starts_at
    while quarter < row.ends_at + buffer:
        if holders.get(quarter, row.id) != row.id:
            return True
        quarter += QUARTER
    return False
