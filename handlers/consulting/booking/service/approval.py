"""The approval of a request, by the consultant or at once by the consultant's terms."""

from handlers.consulting.booking.contracts import BookingApproved, BookingCreated, BookingView
from handlers.consulting.booking.service import history, hours
from handlers.consulting.call import public as calls
from handlers.kit.transaction import Transaction
from storage.consulting.booking import BookingRow


def confirm(
    tx: Transaction, row: BookingRow, reason: str | None, *, by_terms: bool = False
) -> BookingView:
    """Approve a request whose place is firm; an instant booking gets its call at once."""
    row.status, row.hold_expires_at = "approved", None
    if row.block_id is None:
        row.consultant_came_at = tx.now
    view = history.change(tx, row, "approved", reason, BookingApproved, by_server=by_terms)
    tx.publish(BookingCreated(booking=view, at_once=by_terms))
    tx.cancel_timer(f"hold:{row.id}")
    hours.end_later(tx, row)
    if row.block_id is None:
        calls.initiate(tx, row.id, row.student_id, row.consultant_id)
    return view
