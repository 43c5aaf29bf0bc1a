"""Pincodes that were sent and are not spent yet: one row for each request."""

from datetime import datetime

import msgspec
from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    String,
    Table,
    bindparam,
    delete,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import DeleteRow, personal

pincodes = Table(
    "pincodes",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("email", String(254), nullable=False),
    Column("purpose", String(20), nullable=False),
    Column("asker", String(64), nullable=False),
    Column("trusted", Boolean, nullable=False),
    Column("ticket_hash", String(64), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    Index("ix_pincodes_email_purpose", "email", "purpose"),
    info=personal(
        on_erasure_of={"email": DeleteRow()},
        not_exported="id email purpose asker trusted ticket_hash fingerprint tries expires_at",
        found_through={"email": "users.email"},
        erased_at_closing=True,
    ),
)


class PincodeRow(msgspec.Struct):
    """`asker` is a keyed hash of the requester, `ticket_hash` the hash of the request's ticket."""

    id: str
    email: str
    purpose: str
    asker: str
    trusted: bool
    ticket_hash: str
    fingerprint: str
    tries: int
    expires_at: datetime


_p = pincodes.c
_INSERT = insert(pincodes)
_THESE = (_p.email == bindparam("address"), _p.purpose == bindparam("of_purpose"))
_LOCK = select(pincodes).where(*_THESE).order_by(_p.id.desc()).with_for_update()
_TRY = update(pincodes).where(_p.id == bindparam("pincode_id")).values(tries=_p.tries + 1)
_DELETE = delete(pincodes).where(*_THESE)
_OLD = select(_p.id).where(_p.expires_at < bindparam("before")).limit(bindparam("limit"))
_FORGET = delete(pincodes).where(_p.id.in_(_OLD))


def insert_pincode(tx: Queries, pincode: PincodeRow) -> None:
    tx.run(_INSERT, **msgspec.structs.asdict(pincode))


def lock_pincodes(tx: Queries, email: str, purpose: str) -> list[PincodeRow]:
    """The pincodes sent to an address for a purpose, the newest first.

    The rows are locked, so that concurrent guesses are counted one after the other.
    """
    return tx.all(PincodeRow, _LOCK, address=email, of_purpose=purpose)


def count_try(tx: Queries, pincode_id: str) -> None:
    """Count a wrong attempt."""
    tx.run(_TRY, pincode_id=pincode_id)


def delete_pincodes(tx: Queries, email: str, purpose: str) -> None:
    tx.run(_DELETE, address=email, of_purpose=purpose)


def forget_pincodes(tx: Queries, before: datetime, limit: int) -> int:
    """Delete pincodes that expired before this time; returns how many."""
    return tx.run(_FORGET, before=before, limit=limit)
