"""Blocks as clients see them."""

from handlers.consulting.availability.contracts.blocks import BlockView
from storage.consulting.availability.schedules import BlockRow


def view_of(row: BlockRow, *, clashes: bool = False) -> BlockView:
    """A block; `clashes` says that its consultant has another call at that time."""
    full = row.taken >= row.max_calls
    return BlockView(
        id=row.id,
        consultant_id=row.consultant_id,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        max_calls=row.max_calls,
        taken=row.taken,
        status=(
            "cancelled"
            if row.cancelled
            else "unavailable"
            if clashes
            else "full"
            if full
            else "available"
        ),
    )
