"""The terms under which consultants take bookings; the platform's defaults fill the gaps."""

from datetime import datetime, timedelta
from typing import Any

import msgspec

from handlers.consulting.availability.contracts.blocks import BlockPast, BlockView
from handlers.consulting.availability.contracts.terms import (
    BookingTermsSet,
    DeadlinePassed,
    GetTerms,
    SetTerms,
    TermsView,
    TooFarAhead,
)
from handlers.consulting.availability.rules import AvailabilityRules
from handlers.consulting.consultants import public as consultants
from handlers.kit.contract import given
from handlers.kit.errors import Forbidden, NotFound
from handlers.kit.transaction import Transaction
from storage.consulting.availability import terms as store

FIELDS = tuple(name for name in TermsView.__struct_fields__ if name != "consultant_id")


def set_terms(tx: Transaction, ask: SetTerms) -> TermsView:
    if not consultants.lock_consultant(tx, tx.actor.id):
        raise Forbidden
    before = get_terms(tx, tx.actor.id)
    own = store.find_terms(tx, tx.actor.id) | dict(given(ask))
    store.keep_terms(
        tx, tx.actor.id, {name: value for name, value in own.items() if value is not None}
    )
    after = get_terms(tx, tx.actor.id)
    if after != before:
        tx.publish(BookingTermsSet(terms=after))
    return after


def get_public_terms(tx: Transaction, ask: GetTerms) -> TermsView:
    if not consultants.exists(tx, ask.consultant_id):
        raise NotFound
    return get_terms(tx, ask.consultant_id)


def get_terms(tx: Transaction, consultant_id: str) -> TermsView:
    """The consultant's own terms, with the platform's defaults where they set none."""
    defaults = msgspec.structs.asdict(tx.rules.of(AvailabilityRules))
    values: dict[str, Any] = {name: defaults[name] for name in FIELDS}
    values |= store.find_terms(tx, consultant_id)
    return TermsView(consultant_id=consultant_id, **values)


def bookable_until(block: BlockView, terms: TermsView, minutes: int) -> datetime:
    """When requests end: before the notice, or when less than the minimum duration is left."""
    latest = block.ends_at - timedelta(minutes=minutes)
    if not terms.min_notice_minutes:
        return latest
    return min(latest, block.starts_at - timedelta(minutes=terms.min_notice_minutes))


def check_bookable(tx: Transaction, block: BlockView, terms: TermsView, minutes: int) -> None:
    """Raises BlockPast, DeadlinePassed or TooFarAhead.

    `minutes` is the minimum duration of the booked topic.
    """
    if block.ends_at <= tx.now:
        raise BlockPast
    until = bookable_until(block, terms, minutes)
    if tx.now > until:
        raise DeadlinePassed(details={"until": until})
    opens_at = block.starts_at - timedelta(days=terms.max_days_ahead)
    if tx.now < opens_at:
        raise TooFarAhead(details={"from": opens_at})
