"""The notifications of users, and when they were read."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
    bindparam,
    delete,
    false,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, Json, metadata
from storage.engine.database import Queries
from storage.engine.personal import ClearColumns, DeleteRow, Export, personal

notifications = Table(
    "notifications",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("user_id", String(36), ForeignKey("users.id"), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("link", Text, nullable=False),
    Column("data", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("read_at", Instant),
    Column("mail_status", String(10), nullable=False),
    Column("about_id", String(36), index=True),
    Column("subject", String(100)),
    Column("withdrawn", Boolean, nullable=False, server_default=false()),
    Index("ix_notifications_user_id_id", "user_id", "id"),
    info=personal(
        on_erasure_of={
            "user_id": DeleteRow(),
            "about_id": ClearColumns(
                {"body": "The user named in this notification deleted their account."}
            ),
        },
        unchanged="id kind title link data created_at read_at mail_status about_id subject "
        "withdrawn",
        export=Export(
            file="notifications",
            description="Your notifications.",
            columns="kind title body link data created_at read_at mail_status",
            found_by="user_id",
        ),
        not_exported="id user_id about_id subject withdrawn",
        plain_json="data",
    ),
)
_KNOWN = notifications.c.subject.is_not(None)
Index(
    "ix_notifications_subject",
    notifications.c.subject,
    notifications.c.user_id,
    sqlite_where=_KNOWN,
    postgresql_where=_KNOWN,
)
_UNREAD = notifications.c.read_at.is_(None)
Index(
    "ix_notifications_unread",
    notifications.c.user_id,
    sqlite_where=_UNREAD,
    postgresql_where=_UNREAD,
)


class NotificationRow(msgspec.Struct):
    """`mail_status` is none, pending, sent, failed or skipped.

    `about_id` is the user named in the text. `subject` is the object that the notification depends
    on, and `withdrawn` says that it is not listed any more.
    """

    id: str
    user_id: str
    kind: str
    title: str
    body: str
    link: str
    data: dict[str, Any]
    created_at: datetime
    read_at: datetime | None
    mail_status: str
    about_id: str | None
    subject: str | None = None
    withdrawn: bool = False


_n = notifications.c
_INSERT = insert(notifications)
_LISTED = _n.withdrawn.is_(False)
_LIST = (
    select(notifications)
    .where(_n.user_id == bindparam("of_user"), _n.id < bindparam("before"), _LISTED)
    .order_by(_n.id.desc())
    .limit(bindparam("limit"))
)
_COUNT = select(func.count()).where(_n.user_id == bindparam("of_user"), _UNREAD, _LISTED)
_READ = (
    update(notifications)
    .where(
        _n.id.in_(bindparam("ids", expanding=True)),
        _n.user_id == bindparam("of_user"),
        _UNREAD,
        _LISTED,
    )
    .values(read_at=bindparam("now"))
    .returning(_n.id)
)
_ABOUT = (
    _n.user_id == bindparam("of_user"),
    _n.kind == bindparam("of_kind"),
    _n.subject == bindparam("of_subject"),
)
_LOCK_ABOUT = select(notifications).where(*_ABOUT).order_by(_n.id.desc()).limit(1).with_for_update()
_WITHDRAW = (
    update(notifications)
    .where(_n.id == bindparam("notification_id"))
    .values(withdrawn=bindparam("new_withdrawn"))
)
_OLD = select(_n.id).where(_n.id < bindparam("before_id")).limit(bindparam("limit"))
_FORGET = delete(notifications).where(_n.id.in_(_OLD))
_MAIL = (
    update(notifications)
    .where(_n.id == bindparam("notification_id"))
    .values(mail_status=bindparam("new_status"))
)


def insert_notification(tx: Queries, row: NotificationRow) -> None:
    tx.run(_INSERT, **msgspec.structs.asdict(row))


def list_notifications(tx: Queries, user_id: str, before: str, limit: int) -> list[NotificationRow]:
    """A user's listed notifications with ids below `before`, the newest first."""
    return tx.all(NotificationRow, _LIST, of_user=user_id, before=before, limit=limit)


def count_unread(tx: Queries, user_id: str) -> int:
    return int(tx.scalar(_COUNT, of_user=user_id))


def mark_read(tx: Queries, user_id: str, ids: list[str], now: datetime) -> list[str]:
    """Mark as read those of `ids` that are unread and the user's own; returns them in the order of
    creation."""
    return sorted(tx.scalars(_READ, ids=ids, of_user=user_id, now=now))


def lock_about(tx: Queries, user_id: str, kind: str, subject: str) -> NotificationRow | None:
    """A user's newest notification of a kind about a subject, withdrawn or not, locked."""
    about = {"of_user": user_id, "of_kind": kind, "of_subject": subject}
    return tx.one(NotificationRow, _LOCK_ABOUT, **about)


def set_withdrawn(tx: Queries, notification_id: str, withdrawn: bool) -> None:
    """Withdraw a notification from the list, or list it again."""
    tx.run(_WITHDRAW, notification_id=notification_id, new_withdrawn=withdrawn)


def set_mail_status(tx: Queries, notification_id: str, status: str) -> None:
    tx.run(_MAIL, notification_id=notification_id, new_status=status)


def forget_notifications(tx: Queries, before_id: str, limit: int) -> int:
    """Delete notifications with ids (UUIDv7, ordered by time) below `before_id`; returns how
    many."""
    return tx.run(_FORGET, before_id=before_id, limit=limit)
