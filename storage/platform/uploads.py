"""Uploads of users, from the start to the last use. The object store has their content."""

from datetime import datetime
from typing import Literal

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    select,
    update,
)

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import DeleteRow, Export, personal

Kind = Literal["image", "audio", "video", "file"]
Status = Literal["waiting", "ready"]

uploads = Table(
    "uploads",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("user_id", String(36), ForeignKey("users.id"), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("content_type", String(100), nullable=False),
    Column("kind", String(10), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64)),
    Column("status", String(10), nullable=False),
    Column("key", String(100), nullable=False),
    Column("parts_id", String(500)),
    Column("checked_until", Instant),
    Column("thumbnail", Boolean, nullable=False),
    Column("width", Integer),
    Column("height", Integer),
    Column("used", Boolean, nullable=False),
    Column("public", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("hit", Text),
    info=personal(
        on_erasure_of={"user_id": DeleteRow()},
        export=Export(
            file="uploads",
            description="Your uploads. The files themselves are in files/, by their ids.",
            columns="id name content_type kind size status width height public created_at",
        ),
        not_exported="user_id sha256 key parts_id checked_until thumbnail used hit",
        erased_by="uploads",
    ),
)


class UploadRow(msgspec.Struct):
    """`content_type` has the encoding of a text that is ready: `text/csv; charset=utf-16le`. `hit`
    is what the filter found in the name or in the text."""

    id: str
    user_id: str
    name: str
    content_type: str
    kind: Kind
    size: int
    sha256: str | None
    status: Status
    key: str
    parts_id: str | None
    checked_until: datetime | None
    thumbnail: bool
    width: int | None
    height: int | None
    used: bool
    public: bool
    created_at: datetime
    hit: str | None = None


_u = uploads.c
_INSERT = uploads.insert()
_FIND = select(uploads).where(_u.id == bindparam("upload_id"))
_LOCK = _FIND.with_for_update()
_HELD = select(func.coalesce(func.sum(_u.size), 0)).where(_u.user_id == bindparam("of_user"))
_WAITING = (
    select(func.count())
    .select_from(uploads)
    .where(_u.user_id == bindparam("of_user"), _u.status == "waiting")
)
_UPDATE = (
    update(uploads)
    .where(_u.id == bindparam("upload_id"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in (
                *("name", "content_type", "size", "status", "key", "parts_id", "checked_until"),
                *("thumbnail", "width", "height", "used", "public", "hit"),
            )
        }
    )
)
_OF_USER = (
    select(uploads)
    .where(_u.user_id == bindparam("of_user"), _u.id > bindparam("after"))
    .order_by(_u.id)
    .limit(bindparam("limit"))
)
_COUNT_READY = select(func.count()).where(_u.user_id == bindparam("of_user"), _u.status == "ready")
_DELETE = delete(uploads).where(_u.id == bindparam("upload_id"))


def insert_upload(tx: Queries, upload: UploadRow) -> None:
    tx.run(_INSERT, **msgspec.structs.asdict(upload))


def find_upload(tx: Queries, upload_id: str) -> UploadRow | None:
    return tx.one(UploadRow, _FIND, upload_id=upload_id)


def lock_upload(tx: Queries, upload_id: str) -> UploadRow | None:
    """Find the row and lock it against other changes until the commit."""
    return tx.one(UploadRow, _LOCK, upload_id=upload_id)


def sum_sizes(tx: Queries, user_id: str) -> int:
    """The total size of a user's uploads in bytes, including unfinished ones."""
    return int(tx.scalar(_HELD, of_user=user_id))


def count_waiting(tx: Queries, user_id: str) -> int:
    return int(tx.scalar(_WAITING, of_user=user_id))


def list_uploads(tx: Queries, user_id: str, after: str, limit: int) -> list[UploadRow]:
    """A page of a user's uploads, sorted by id, after the id `after`."""
    return tx.all(UploadRow, _OF_USER, of_user=user_id, after=after, limit=limit)


def count_ready(tx: Queries, user_id: str) -> int:
    return int(tx.scalar(_COUNT_READY, of_user=user_id))


def update_upload(tx: Queries, upload: UploadRow) -> None:
    tx.run(
        _UPDATE,
        upload_id=upload.id,
        new_name=upload.name,
        new_content_type=upload.content_type,
        new_size=upload.size,
        new_status=upload.status,
        new_key=upload.key,
        new_parts_id=upload.parts_id,
        new_checked_until=upload.checked_until,
        new_thumbnail=upload.thumbnail,
        new_width=upload.width,
        new_height=upload.height,
        new_used=upload.used,
        new_public=upload.public,
        new_hit=upload.hit,
    )


def delete_upload(tx: Queries, upload_id: str) -> None:
    tx.run(_DELETE, upload_id=upload_id)
