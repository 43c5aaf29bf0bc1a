"""When the video provider of a call saw each participant."""

from datetime import datetime

import msgspec
from sqlalchemy import Column, ForeignKey, Index, String, Table, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import Export, KeepRow, personal

provider_stays = Table(
    "call_provider_stays",
    metadata,
    Column("call_id", String(36), ForeignKey("calls.id"), primary_key=True),
    Column("session", String(64), primary_key=True),
    Column("user_id", String(36), nullable=False),
    Column("joined_at", Instant, nullable=False),
    Column("left_at", Instant),
    Index("ix_call_provider_stays_user_id", "user_id"),
    info=personal(
        on_erasure_of={"user_id": KeepRow()},
        unchanged="call_id session user_id joined_at left_at",
        export=Export(
            file="call_provider_stays",
            description="When the video provider saw you in calls.",
            columns="call_id joined_at left_at",
        ),
        not_exported="session user_id",
    ),
)


class ProviderStay(msgspec.Struct):
    """One connection of a participant to the provider; `session` is the provider's id for it."""

    call_id: str
    session: str
    user_id: str
    joined_at: datetime
    left_at: datetime | None


_p = provider_stays.c
_INSERT = insert(provider_stays)
_KEEP = _INSERT.on_conflict_do_update(
    index_elements=[_p.call_id, _p.session],
    set_={"left_at": func.coalesce(_p.left_at, _INSERT.excluded.left_at)},
)
_STAYS = select(provider_stays).where(_p.call_id == bindparam("of_call")).order_by(_p.joined_at)
_CLOSE = (
    update(provider_stays)
    .where(_p.call_id == bindparam("of_call"), _p.left_at.is_(None))
    .values(left_at=bindparam("new_left_at"))
)


def keep_stay(tx: Queries, stay: ProviderStay) -> None:
    """Insert a stay, or note the end of a known one; reports can repeat and change places."""
    tx.run(_KEEP, **msgspec.structs.asdict(stay))


def list_stays(tx: Queries, call_id: str) -> list[ProviderStay]:
    return tx.all(ProviderStay, _STAYS, of_call=call_id)


def close_stays(tx: Queries, call_id: str, at: datetime) -> None:
    """End all open stays of a call."""
    tx.run(_CLOSE, of_call=call_id, new_left_at=at)
