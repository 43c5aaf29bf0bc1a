"""The terms that a booking was made under: until when a student can change it, and its fees.

Only the student pays fees. The fee of a booking is fixed when it ends; payments charge it.
"""

from datetime import timedelta

import msgspec

from handlers.consulting.availability.contracts.terms import DeadlinePassed, TermsView
from handlers.consulting.booking.contracts import AgreedTermsView
from handlers.kit.transaction import Transaction
from storage.consulting.booking import BookingRow


def agree(terms: TermsView) -> AgreedTermsView:
    """The part of a consultant's terms that stays with a booking."""
    return AgreedTermsView(
        change_until_minutes=terms.change_until_minutes,
        late_cancellation_percent=terms.late_cancellation_percent,
        no_show_percent=terms.no_show_percent,
    )


def terms_of(row: BookingRow) -> AgreedTermsView | None:
    """The agreed terms; None for a booking that is older than terms."""
    return None if row.terms is None else msgspec.convert(row.terms, AgreedTermsView)


def check_movable(tx: Transaction, row: BookingRow) -> None:
    """Raises DeadlinePassed if the student can no longer move the booking.

    The consultant always can, and so can the student if the terms have no deadline.
    """
    terms = terms_of(row)
    if terms is None or not terms.change_until_minutes or tx.actor.id != row.student_id:
        return
    until = row.starts_at - timedelta(minutes=terms.change_until_minutes)
    if tx.now > until:
        raise DeadlinePassed(details={"until": until})


def cancellation_fee(tx: Transaction, row: BookingRow) -> int:
    """The fee, in percent, if the actor cancels the booking now."""
    terms = terms_of(row)
    if terms is None or row.status != "approved" or tx.actor.id != row.student_id:
        return 0
    late = tx.now > row.starts_at - timedelta(minutes=terms.change_until_minutes)
    return terms.late_cancellation_percent if late and row.block_id is not None else 0


def no_show_fee(row: BookingRow) -> int:
    """The fee, in percent, of a missed hour: only if the consultant came and the student not."""
    terms = terms_of(row)
    if terms is None or row.student_came_at is not None or row.consultant_came_at is None:
        return 0
    return terms.no_show_percent
