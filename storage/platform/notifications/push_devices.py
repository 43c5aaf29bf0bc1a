"""Apps that receive push notifications. Tokens are encrypted and found by a keyed hash."""

from datetime import datetime

import msgspec
from sqlalchemy import Column, ForeignKey, String, Table, Text, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import DeleteRow, Export, personal

push_devices = Table(
    "push_devices",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("user_id", String(36), ForeignKey("users.id"), nullable=False, index=True),
    Column("session_id", String(36), nullable=False, index=True),
    Column("platform", String(10), nullable=False),
    Column("sealed_token", Text, nullable=False),
    Column("registered_at", Instant, nullable=False),
    info=personal(
        on_erasure_of={"user_id": DeleteRow()},
        export=Export(
            file="push_devices",
            description="Your apps that are registered for push notifications.",
            columns="platform registered_at",
        ),
        not_exported="token_hash user_id session_id sealed_token",
        erased_at_closing=True,
    ),
)


class PushDeviceRow(msgspec.Struct):
    token_hash: str
    user_id: str
    session_id: str
    platform: str
    sealed_token: str
    registered_at: datetime


_d = push_devices.c
_insert = insert(push_devices)
_KEEP = _insert.on_conflict_do_update(
    index_elements=[_d.token_hash],
    set_={
        name: _insert.excluded[name]
        for name in ("user_id", "session_id", "platform", "sealed_token", "registered_at")
    },
)
_BEYOND = (
    select(_d.token_hash)
    .where(_d.user_id == bindparam("of_user"))
    .order_by(_d.registered_at.desc(), _d.token_hash)
    .limit(1_000)
    .offset(bindparam("kept"))
)
_OF_USER = select(push_devices).where(_d.user_id == bindparam("of_user"))
_DELETE = delete(push_devices).where(
    _d.token_hash == bindparam("of_token"), _d.user_id == bindparam("of_user")
)
_DELETE_OF_SESSION = delete(push_devices).where(_d.session_id == bindparam("of_session"))


def upsert_device(tx: Queries, device: PushDeviceRow) -> None:
    """Insert a device, or overwrite the row of the same token, whichever user it belonged to."""
    tx.run(_KEEP, **msgspec.structs.asdict(device))


def list_beyond(tx: Queries, user_id: str, kept: int) -> list[str]:
    """The token hashes of a user's oldest devices, beyond the newest `kept`; at most 1,000."""
    return tx.scalars(_BEYOND, of_user=user_id, kept=kept)


def list_devices(tx: Queries, user_id: str) -> list[PushDeviceRow]:
    return tx.all(PushDeviceRow, _OF_USER, of_user=user_id)


def delete_device(tx: Queries, token_hash: str, user_id: str) -> None:
    tx.run(_DELETE, of_token=token_hash, of_user=user_id)


def delete_of_session(tx: Queries, session_id: str) -> None:
    tx.run(_DELETE_OF_SESSION, of_session=session_id)
