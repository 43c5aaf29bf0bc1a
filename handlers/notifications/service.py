"""Decisions about notifications."""

from typing import Any

import msgspec

from handlers.kit import throttle
from handlers.kit.context import Transaction
from handlers.kit.throttle import DAY, Throttle
from handlers.notifications.contracts import (
    ListNotifications,
    MarkNotificationsRead,
    NotificationDispatched,
    NotificationPage,
    NotificationRead,
    NotificationView,
    UnreadView,
)
from handlers.profile import public as profiles
from handlers.profile.contracts import UserView
from handlers.send import public as mails
from rooms import names
from storage import notifications as store
from storage.notifications import NotificationRow

AFTER_ALL_IDS = "~"
MAILS = Throttle("mails of one kind of news", most=20, window=DAY)
"""To one person, by one other (or by the server): who moves a booking to and fro floods nobody."""


class Notice(msgspec.Struct, frozen=True):
    """What is to be told about an event, whoever hears it."""

    kind: str
    title: str
    body: str
    link: str
    mails: bool = False


def list_notifications(tx: Transaction, ask: ListNotifications) -> NotificationPage:
    before = ask.before or AFTER_ALL_IDS
    rows = store.list_notifications(tx, tx.actor.id, before, ask.limit + 1)
    page = rows[: ask.limit]
    return NotificationPage(
        notifications=[view_of(row) for row in page],
        unread=store.count_unread(tx, tx.actor.id),
        next=page[-1].id if len(rows) > ask.limit else None,
        seq=tx.head("/notifications", names.user(tx.actor.id)),
    )


def mark_read(tx: Transaction, ask: MarkNotificationsRead) -> UnreadView:
    """Others' ids and those read before change nothing.

    The event's number is taken before counting, so that each event counts those before it too.
    """
    fresh = store.mark_read(tx, tx.actor.id, ask.ids, tx.now)
    if not fresh:
        return UnreadView(unread=store.count_unread(tx, tx.actor.id))
    tx.take_number("/notifications", names.user(tx.actor.id))
    unread = store.count_unread(tx, tx.actor.id)
    tx.publish(NotificationRead(user_id=tx.actor.id, ids=fresh, unread=unread))
    return UnreadView(unread=unread)


def tell(
    tx: Transaction,
    user_id: str,
    notice: Notice,
    data: dict[str, Any],
    *,
    about_id: str | None = None,
) -> None:
    """Tell a person in the app, and by mail where that kind of news asks for it and `MAILS` lets.

    `about_id` is who else is named in it. Who was erased is told nothing.
    """
    user = profiles.get_user(tx, user_id)
    if profiles.is_closed(user):
        return
    mails_it = notice.mails and _may_mail(tx, user_id, notice.kind)
    row = NotificationRow(
        id=tx.new_id(),
        user_id=user_id,
        kind=notice.kind,
        title=notice.title,
        body=notice.body,
        link=notice.link,
        data=data,
        created_at=tx.now,
        read_at=None,
        mail_status="pending" if mails_it else "none",
        about_id=about_id,
    )
    store.insert_notification(tx, row)
    tx.publish(NotificationDispatched(user_id=user_id, notification=view_of(row)))
    if mails_it:
        _mail(tx, row, user)


def note_mail(tx: Transaction, notification_id: str | None, status: str) -> None:
    """How the mail of a notification went."""
    if notification_id is not None:
        store.set_mail_status(tx, notification_id, status)


def view_of(row: NotificationRow) -> NotificationView:
    fields = msgspec.structs.asdict(row)
    del fields["user_id"], fields["mail_status"]
    return NotificationView(**fields)


def _may_mail(tx: Transaction, user_id: str, kind: str) -> bool:
    """Count one more mail of this kind that whoever caused it makes this person get."""
    by = (tx.cause.actor_id if tx.cause else None) or ""
    return throttle.take_if_left(tx, MAILS, user_id, kind, by)


def _mail(tx: Transaction, row: NotificationRow, user: UserView) -> None:
    mail = mails.compose(
        tx,
        "notice",
        user.email,
        notification_id=row.id,
        title=row.title,
        body=row.body,
        link=row.link,
        first_name=user.first_name,
    )
    tx.publish(mail)
