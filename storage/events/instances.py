"""The running instances and their heartbeats; an instance whose heartbeat is old counts as dead."""

from datetime import datetime

import msgspec
from sqlalchemy import Column, String, Table, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import not_personal

instances = Table(
    "instances",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("confirmed_at", Instant, nullable=False),
    info=not_personal("id confirmed_at"),
)


class Instance(msgspec.Struct):
    id: str
    confirmed_at: datetime


_i = instances.c
_INSERT = insert(instances).on_conflict_do_nothing(index_elements=[_i.id])
_CONFIRM = (
    update(instances).where(_i.id == bindparam("of_id")).values(confirmed_at=bindparam("now"))
)
_SILENT = select(_i.id, _i.confirmed_at).where(
    _i.confirmed_at < bindparam("before"), _i.id != bindparam("but")
)
_LIVING = select(_i.id).where(_i.confirmed_at >= bindparam("after"), _i.id != bindparam("but"))
_TAKE = delete(instances).where(
    _i.id == bindparam("of_id"), _i.confirmed_at <= bindparam("not_after")
)


def insert_instance(tx: Queries, instance_id: str, now: datetime) -> None:
    tx.run(_INSERT, id=instance_id, confirmed_at=now)


def confirm_instance(tx: Queries, instance_id: str, now: datetime) -> bool:
    """Renew the heartbeat; returns False if another instance declared this one dead."""
    return tx.run(_CONFIRM, of_id=instance_id, now=now) == 1


def list_silent(tx: Queries, before: datetime, but: str) -> list[Instance]:
    """The other instances whose last heartbeat is before `before`."""
    return tx.all(Instance, _SILENT, before=before, but=but)


def list_living(tx: Queries, after: datetime, but: str) -> list[str]:
    """The other instances with a heartbeat at or after `after`."""
    return tx.scalars(_LIVING, after=after, but=but)


def take_instance(tx: Queries, instance_id: str, not_after: datetime) -> bool:
    """Delete an instance without a heartbeat after `not_after`.

    Returns True only to the first caller.
    """
    return tx.run(_TAKE, of_id=instance_id, not_after=not_after) == 1
