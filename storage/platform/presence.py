"""Users' presence and status, and the instances that their devices are connected to."""

from datetime import datetime
from typing import Literal

import msgspec
from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    String,
    Table,
    bindparam,
    delete,
    false,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import DeleteRow, Export, personal

presences = Table(
    "presences",
    metadata,
    Column("user_id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("online", Boolean, nullable=False),
    Column("status", String(10), nullable=False),
    Column("last_seen_at", Instant),
    Column("changed_at", Instant, nullable=False, index=True),
    Column("invisible", Boolean, nullable=False, server_default=false()),
    Column("shown_status", String(10)),
    info=personal(
        on_erasure_of={"user_id": DeleteRow()},
        export=Export(
            file="presence",
            description="Your online status, when you were last online, and what you hide of it.",
            columns="online status last_seen_at changed_at invisible shown_status",
        ),
        not_exported="user_id",
    ),
)
holdings = Table(
    "presence_holdings",
    metadata,
    Column("user_id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("instance_id", String(36), primary_key=True, index=True),
    info=personal(
        on_erasure_of={"user_id": DeleteRow()},
        not_exported="user_id instance_id",
    ),
)


Status = Literal["active", "away", "busy"]


class PresenceRow(msgspec.Struct):
    """A user's presence; others see neither `online` nor `status` of an invisible user.

    `last_seen_at` and `changed_at` are about what others see. `shown_status` is the status that
    they see while the user is invisible.
    """

    user_id: str
    online: bool
    status: Status
    last_seen_at: datetime | None
    changed_at: datetime
    invisible: bool = False
    shown_status: Status | None = None


_p, _h = presences.c, holdings.c
_MAKE = insert(presences).on_conflict_do_nothing(index_elements=[_p.user_id])
_UPDATE = (
    update(presences)
    .where(_p.user_id == bindparam("of_user"))
    .values(
        online=bindparam("new_online"),
        status=bindparam("new_status"),
        last_seen_at=bindparam("new_last_seen_at"),
        changed_at=bindparam("new_changed_at"),
        invisible=bindparam("new_invisible"),
        shown_status=bindparam("new_shown_status"),
    )
)
_FIND = select(presences).where(_p.user_id == bindparam("of_user")).with_for_update()
_LIST = select(presences).where(_p.user_id.in_(bindparam("user_ids", expanding=True)))
_CHANGED = (
    select(presences)
    .where(_p.changed_at >= bindparam("since"), _p.user_id > bindparam("after"))
    .order_by(_p.user_id)
    .limit(bindparam("limit"))
)
_HOLD = insert(holdings).on_conflict_do_nothing(index_elements=[_h.user_id, _h.instance_id])
_LET_GO = delete(holdings).where(
    _h.user_id == bindparam("of_user"), _h.instance_id == bindparam("of_instance")
)
_COUNT = select(func.count()).where(_h.user_id == bindparam("of_user"))
_HELD = (
    select(_h.user_id)
    .where(_h.instance_id == bindparam("of_instance"))
    .order_by(_h.user_id)
    .limit(bindparam("limit"))
)


def lock_presence(tx: Queries, user_id: str, now: datetime) -> PresenceRow:
    """Lock a user's row until the commit; inserts it first if the user was never online."""
    fresh = PresenceRow(user_id, False, "active", None, now)
    tx.run(_MAKE, **msgspec.structs.asdict(fresh))
    return tx.one(PresenceRow, _FIND, of_user=user_id) or fresh


def update_presence(tx: Queries, row: PresenceRow, changed_at: datetime) -> None:
    """Store a row; what others see of it changed at `changed_at`."""
    tx.run(
        _UPDATE,
        of_user=row.user_id,
        new_online=row.online,
        new_status=row.status,
        new_last_seen_at=row.last_seen_at,
        new_changed_at=changed_at,
        new_invisible=row.invisible,
        new_shown_status=row.shown_status,
    )


def list_changed(tx: Queries, since: datetime, after: str, limit: int) -> list[PresenceRow]:
    """A page of users whose presence or status changed at `since` or later, sorted by id."""
    return tx.all(PresenceRow, _CHANGED, since=since, after=after, limit=limit)


def list_presences(tx: Queries, user_ids: list[str]) -> dict[str, PresenceRow]:
    return {row.user_id: row for row in tx.all(PresenceRow, _LIST, user_ids=user_ids)}


def insert_holding(tx: Queries, user_id: str, instance_id: str) -> None:
    """Record that the instance has devices of the user."""
    tx.run(_HOLD, user_id=user_id, instance_id=instance_id)


def delete_holding(tx: Queries, user_id: str, instance_id: str) -> int:
    """Record that the instance has no more devices of the user.

    Returns the number of instances that still have some.
    """
    tx.run(_LET_GO, of_user=user_id, of_instance=instance_id)
    return int(tx.scalar(_COUNT, of_user=user_id))


def list_users_on(tx: Queries, instance_id: str, limit: int) -> list[str]:
    """The ids of users with devices on an instance, sorted."""
    return tx.scalars(_HELD, of_instance=instance_id, limit=limit)
