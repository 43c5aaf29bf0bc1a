"""Devices that a user signed in on, which prove it with a token of this server."""

from datetime import datetime

import msgspec
from sqlalchemy import Column, ForeignKey, String, Table, bindparam, delete, insert, select, update

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import DeleteRow, Export, personal

known_devices = Table(
    "known_devices",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("user_id", String(36), ForeignKey("users.id"), nullable=False, index=True),
    Column("known_since", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False, index=True),
    info=personal(
        on_erasure_of={"user_id": DeleteRow()},
        export=Export(
            file="known_devices",
            description="Devices that you signed in on, which your account recognizes.",
            columns="known_since seen_at",
        ),
        not_exported="id user_id",
    ),
)


class KnownDeviceRow(msgspec.Struct):
    id: str
    user_id: str
    known_since: datetime
    seen_at: datetime


_d = known_devices.c
_INSERT = insert(known_devices)
_FIND = select(known_devices).where(_d.id == bindparam("device_id"))
_SEEN = (
    update(known_devices).where(_d.id == bindparam("device_id")).values(seen_at=bindparam("now"))
)
_BEYOND = (
    select(_d.id)
    .where(_d.user_id == bindparam("of_user"))
    .order_by(_d.seen_at.desc(), _d.id.desc())
    .limit(1_000)
    .offset(bindparam("kept"))
)
_DELETE = delete(known_devices).where(_d.id == bindparam("device_id"))
_DELETE_OF_USER = delete(known_devices).where(
    _d.user_id == bindparam("of_user"), _d.id != bindparam("kept_id")
)
_UNSEEN = select(_d.id).where(_d.seen_at < bindparam("before")).limit(bindparam("limit"))
# The condition is repeated, so that a device that was used meanwhile stays.
_FORGET = delete(known_devices).where(_d.id.in_(_UNSEEN), _d.seen_at < bindparam("before"))


def insert_device(tx: Queries, device: KnownDeviceRow) -> None:
    tx.run(_INSERT, **msgspec.structs.asdict(device))


def find_device(tx: Queries, device_id: str) -> KnownDeviceRow | None:
    return tx.one(KnownDeviceRow, _FIND, device_id=device_id)


def note_device_seen(tx: Queries, device_id: str, now: datetime) -> None:
    tx.run(_SEEN, device_id=device_id, now=now)


def list_devices_beyond(tx: Queries, user_id: str, kept: int) -> list[str]:
    """The ids of a user's least recently seen devices, all but the first `kept`."""
    return tx.scalars(_BEYOND, of_user=user_id, kept=kept)


def delete_device(tx: Queries, device_id: str) -> None:
    tx.run(_DELETE, device_id=device_id)


def delete_devices_of(tx: Queries, user_id: str, kept_id: str) -> None:
    """Delete all devices of a user except `kept_id`; "" keeps none."""
    tx.run(_DELETE_OF_USER, of_user=user_id, kept_id=kept_id)


def forget_devices(tx: Queries, before: datetime, limit: int) -> int:
    """Delete devices last seen before then; returns how many."""
    return tx.run(_FORGET, before=before, limit=limit)
