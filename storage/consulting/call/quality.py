"""The quality of users' connections in calls: one row for each call and user sums reports up.

The row has no list of reports, so its size does not grow with the length of the call.
"""

from datetime import datetime
from typing import Literal

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    bindparam,
    delete,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import DeleteRow, Export, personal

Quality = Literal["good", "poor", "bad"]
Path = Literal["direct", "relay", "server"]
"""Between the two users, through a TURN server, or through a video service."""

_NUMBERS = (
    "reports poor bad loss_permille_sum jitter_ms_sum round_trip_ms_sum received_kbps_sum "
    "sent_kbps_sum loss_permille_max jitter_ms_max round_trip_ms_max freezes"
)
call_quality = Table(
    "call_quality",
    metadata,
    Column("call_id", String(36), ForeignKey("calls.id"), primary_key=True),
    Column("user_id", String(36), primary_key=True),
    Column("quality", String(10), nullable=False),
    Column("path", String(10), nullable=False),
    Column("reported_at", Instant, nullable=False),
    Column("reports", Integer, nullable=False),
    Column("poor", Integer, nullable=False),
    Column("bad", Integer, nullable=False),
    Column("loss_permille_sum", BigInteger, nullable=False),
    Column("jitter_ms_sum", BigInteger, nullable=False),
    Column("round_trip_ms_sum", BigInteger, nullable=False),
    Column("received_kbps_sum", BigInteger, nullable=False),
    Column("sent_kbps_sum", BigInteger, nullable=False),
    Column("loss_permille_max", Integer, nullable=False),
    Column("jitter_ms_max", Integer, nullable=False),
    Column("round_trip_ms_max", Integer, nullable=False),
    Column("freezes", BigInteger, nullable=False),
    Index("ix_call_quality_user_id", "user_id"),
    Index("ix_call_quality_reported_at", "reported_at"),
    info=personal(
        on_erasure_of={"user_id": DeleteRow()},
        export=Export(
            file="call_quality",
            description="The quality of your connections in calls, summed up.",
            columns=f"call_id quality path reported_at {_NUMBERS}",
        ),
        not_exported="user_id",
    ),
)


class QualityRow(msgspec.Struct):
    """The sums and maxima of one user's reports; `quality` and `path` are those of the latest."""

    call_id: str
    user_id: str
    quality: Quality
    path: Path
    reported_at: datetime
    reports: int = 0
    poor: int = 0
    bad: int = 0
    loss_permille_sum: int = 0
    jitter_ms_sum: int = 0
    round_trip_ms_sum: int = 0
    received_kbps_sum: int = 0
    sent_kbps_sum: int = 0
    loss_permille_max: int = 0
    jitter_ms_max: int = 0
    round_trip_ms_max: int = 0
    freezes: int = 0


_q = call_quality.c
_ID = (_q.call_id, _q.user_id)
_INSERT = insert(call_quality)
_KEEP = _INSERT.on_conflict_do_update(
    index_elements=list(_ID),
    set_={
        column.name: _INSERT.excluded[column.name]
        for column in call_quality.columns
        if not column.primary_key
    },
)
_FIND = select(call_quality).where(
    _q.call_id == bindparam("of_call"), _q.user_id == bindparam("of_user")
)
_OF_CALL = select(call_quality).where(_q.call_id == bindparam("of_call")).order_by(_q.user_id)
_OLD = select(*_ID).where(_q.reported_at < bindparam("before")).limit(bindparam("limit"))
_FORGET = delete(call_quality).where(tuple_(*_ID).in_(_OLD))


def find_quality(tx: Queries, call_id: str, user_id: str) -> QualityRow | None:
    return tx.one(QualityRow, _FIND, of_call=call_id, of_user=user_id)


def keep_quality(tx: Queries, row: QualityRow) -> None:
    tx.run(_KEEP, **msgspec.structs.asdict(row))


def list_quality(tx: Queries, call_id: str) -> list[QualityRow]:
    """The rows of the participants of a call who have sent a report."""
    return tx.all(QualityRow, _OF_CALL, of_call=call_id)


def forget_quality(tx: Queries, before: datetime, limit: int) -> int:
    """Delete rows whose latest report is older; returns how many."""
    return tx.run(_FORGET, before=before, limit=limit)
