"""The terms that consultants set for bookings."""

from typing import Any

from sqlalchemy import Column, ForeignKey, String, Table, bindparam, select
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Json, metadata
from storage.engine.database import Queries
from storage.engine.personal import DeleteRow, Export, personal

booking_terms = Table(
    "booking_terms",
    metadata,
    Column("consultant_id", String(36), ForeignKey("consultants.id"), primary_key=True),
    Column("terms", Json, nullable=False),
    info=personal(
        on_erasure_of={"consultant_id": DeleteRow()},
        export=Export(
            file="booking_terms",
            description="Your terms for bookings, such as the notice and fees.",
            columns="terms",
        ),
        not_exported="consultant_id",
        plain_json="terms",
    ),
)

_INSERT = insert(booking_terms)
_KEEP = _INSERT.on_conflict_do_update(
    index_elements=[booking_terms.c.consultant_id], set_={"terms": _INSERT.excluded.terms}
)
_FIND = select(booking_terms.c.terms).where(
    booking_terms.c.consultant_id == bindparam("of_consultant")
)


def keep_terms(tx: Queries, consultant_id: str, terms: dict[str, Any]) -> None:
    tx.run(_KEEP, consultant_id=consultant_id, terms=terms)


def find_terms(tx: Queries, consultant_id: str) -> dict[str, Any]:
    """The terms that this consultant set, by name; empty if there are none."""
    found: dict[str, Any] | None = tx.scalar(_FIND, of_consultant=consultant_id)
    return found or {}
