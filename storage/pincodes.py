"""Pincodes on their way: at most one live one for an address."""

from datetime import datetime

import msgspec
from sqlalchemy import Column, Integer, String, Table, bindparam, delete, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from storage.columns import Instant, metadata
from storage.engine import Queries
from storage.personal import personal

pincodes = Table(
    "pincodes",
    metadata,
    Column("email", String(254), primary_key=True),
    Column("purpose", String(20), primary_key=True),
    Column("request_id", String(36), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    Column("sent", Integer, nullable=False),
    Column("sent_since", Instant, nullable=False),
    info=personal(
        goes="email",
        through={"email": "users.email"},
        held="email purpose request_id fingerprint tries expires_at sent sent_since",
    ),
)


class PincodeRow(msgspec.Struct):
    email: str
    purpose: str
    request_id: str
    fingerprint: str
    tries: int
    expires_at: datetime
    sent: int
    sent_since: datetime


_p = pincodes.c
_insert = insert(pincodes)
_KEEP = _insert.on_conflict_do_update(
    index_elements=[_p.email, _p.purpose],
    set_={
        name: _insert.excluded[name]
        for name in ("request_id", "fingerprint", "tries", "expires_at", "sent", "sent_since")
    },
)
_OPEN = insert(pincodes).on_conflict_do_nothing(index_elements=[_p.email, _p.purpose])
_THIS = (_p.email == bindparam("address"), _p.purpose == bindparam("of_purpose"))
_FIND = select(pincodes).where(*_THIS).with_for_update()
_TRY = update(pincodes).where(*_THIS).values(tries=_p.tries + 1).returning(_p.tries)
_DELETE = delete(pincodes).where(*_THIS)
_IS_OLD = (_p.expires_at < bindparam("before"), _p.sent_since < bindparam("before"))
_OLD = select(_p.email, _p.purpose).where(*_IS_OLD).limit(bindparam("limit"))
# The condition twice: who asks anew meanwhile keeps what replaced the old one.
_FORGET = delete(pincodes).where(tuple_(_p.email, _p.purpose).in_(_OLD), *_IS_OLD)


def keep_pincode(tx: Queries, pincode: PincodeRow) -> None:
    """Replace what there was for this address and purpose."""
    tx.run(_KEEP, **msgspec.structs.asdict(pincode))


def open_pincode(tx: Queries, fresh: PincodeRow) -> PincodeRow:
    """What there is for this address and purpose, else `fresh`; locked, even when it is new."""
    tx.run(_OPEN, **msgspec.structs.asdict(fresh))
    return find_pincode(tx, fresh.email, fresh.purpose) or fresh


def find_pincode(tx: Queries, email: str, purpose: str) -> PincodeRow | None:
    """Locked, so that parallel guesses are counted one after the other."""
    return tx.one(PincodeRow, _FIND, address=email, of_purpose=purpose)


def count_try(tx: Queries, email: str, purpose: str) -> int:
    """Count one wrong try; how many there are now."""
    return int(tx.scalar(_TRY, address=email, of_purpose=purpose))


def delete_pincode(tx: Queries, email: str, purpose: str) -> None:
    tx.run(_DELETE, address=email, of_purpose=purpose)


def forget_pincodes(tx: Queries, before: datetime, limit: int) -> int:
    """Delete those that expired, and whose count of mails began, before this; how many."""
    return tx.run(_FORGET, before=before, limit=limit)
