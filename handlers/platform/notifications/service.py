"""Decisions about notifications."""

import msgspec

from handlers.kit import throttle
from handlers.kit.notices import (
    Notice,
    NoticeRule,
    Person,
    Sentence,
    Withdrawal,
    require_values,
)
from handlers.kit.paging import LAST_ID, cursor_of, position_of
from handlers.kit.throttle import DAY, Throttle
from handlers.kit.transaction import Transaction
from handlers.kit.wording import Plain, Reader, Value
from handlers.platform.notifications import notifications
from handlers.platform.notifications.contracts import (
    ListNotifications,
    MarkNotificationsRead,
    NotificationDispatched,
    NotificationPage,
    NotificationRead,
    NotificationView,
    UnreadView,
)
from handlers.platform.notifications.mails import NOTICE
from handlers.platform.profile import public as profiles
from handlers.platform.profile.contracts import UserView
from handlers.platform.send import public as mails
from handlers.platform.send.public import NoticeMail
from rooms import names
from storage.platform.notifications import inbox as store
from storage.platform.notifications.inbox import NotificationRow

INBOX = "/notifications list"
ERASED = notifications.sentence("body_erased")
ERASED_BODY = NotificationView.PERSONAL["about_id"]["body"]
"""What an erasure stores as the body of a notification that named the erased user."""
MAILS = Throttle("mails of one kind of news", most=20, window=DAY)
"""Per recipient, kind, and user who causes them (or the server). A user who changes a booking
repeatedly cannot flood another one with mails."""


def list_notifications(tx: Transaction, ask: ListNotifications) -> NotificationPage:
    (before,) = position_of(tx, INBOX, ask.before) or (LAST_ID,)
    rows = store.list_notifications(tx, tx.actor.id, before, ask.limit + 1)
    page = rows[: ask.limit]
    reader = profiles.reader_of(profiles.get_user(tx, tx.actor.id))
    return NotificationPage(
        notifications=[_readable(view_of(row), reader) for row in page],
        unread=store.count_unread(tx, tx.actor.id),
        next=cursor_of(tx, INBOX, page[-1].id) if len(rows) > ask.limit else None,
        seq=tx.head("/notifications", names.user(tx.actor.id)),
    )


def mark_read(tx: Transaction, ask: MarkNotificationsRead) -> UnreadView:
    """Mark the actor's unread notifications among `ask.ids`; other ids are ignored."""
    fresh = store.mark_read(tx, tx.actor.id, ask.ids, tx.now)
    if not fresh:
        return UnreadView(unread=store.count_unread(tx, tx.actor.id))
    return UnreadView(unread=_publish_read(tx, tx.actor.id, fresh))


def _publish_read(tx: Transaction, user_id: str, ids: list[str], withdrawn: bool = False) -> int:
    """Publish that notifications no longer count as unread; returns how many are left.

    The event takes its sequence number before the count, so the count includes the effects of all
    earlier events.
    """
    tx.take_number("/notifications", names.user(user_id))
    unread = store.count_unread(tx, user_id)
    tx.publish(NotificationRead(user_id=user_id, ids=ids, unread=unread, withdrawn=withdrawn))
    return unread


def deliver(tx: Transaction, rule: NoticeRule, notice: Notice) -> None:
    """Show a notice in the app, and email it if its rule says so. A mail that `MAILS` does not
    allow is skipped, and recorded.

    Does nothing for a deleted account, or if the user has a notification about the same subject.
    Raises TypeError for values that the rule does not declare.
    """
    require_values(rule.says, notice.values)
    user = profiles.get_user(tx, notice.to)
    if profiles.is_closed(user) or _has_one(tx, rule.kind, notice):
        return
    by_mail = rule.importance != "app"
    row = _row_of(tx, rule, notice, user)
    row.mail_status = "pending" if by_mail else "none"
    store.insert_notification(tx, row)
    tx.publish(NotificationDispatched(user_id=user.id, notification=view_of(row)))
    if by_mail:
        _mail(tx, row, user, notice)


def withdraw(tx: Transaction, kind: str, withdrawal: Withdrawal) -> None:
    """Remove a user's notification of a kind about a subject from the list, read or unread."""
    row = store.lock_about(tx, withdrawal.of, kind, withdrawal.subject)
    if row is not None and not row.withdrawn:
        store.set_withdrawn(tx, row.id, True)
        _publish_read(tx, row.user_id, [row.id], withdrawn=True)


def _has_one(tx: Transaction, kind: str, notice: Notice) -> bool:
    """Whether the user has a notification about the notice's subject; lists a withdrawn one again.

    A notification that was read before it was withdrawn is read again at once.
    """
    row = notice.subject and store.lock_about(tx, notice.to, kind, notice.subject)
    if not row:
        return False
    if row.withdrawn:
        store.set_withdrawn(tx, row.id, False)
        tx.publish(NotificationDispatched(user_id=row.user_id, notification=view_of(row)))
        if row.read_at is not None:
            _publish_read(tx, row.user_id, [row.id])
    return True


def _row_of(tx: Transaction, rule: NoticeRule, notice: Notice, user: UserView) -> NotificationRow:
    """The row of a notice, in the recipient's language; `about_id` is the user named in it."""
    reader = profiles.reader_of(user)
    values = {name: _resolved(tx, value, reader) for name, value in notice.values.items()}
    named = [value.id for value in notice.values.values() if isinstance(value, Person)]
    if len(named) > 1:
        raise TypeError(f"{rule.kind} names several users, but about_id can hold only one")
    if named and profiles.is_closed(profiles.get_user(tx, named[0])):
        named = []  # the text has no name, so an erasure that still runs must not clear it
    title, body = (" ".join(rule.messages.paragraphs(name, reader, values)) for name in rule.names)
    return NotificationRow(
        id=tx.new_id(),
        user_id=user.id,
        kind=rule.kind,
        title=title,
        body=body,
        link=notice.link,
        data=dict(notice.data),
        created_at=tx.now,
        read_at=None,
        mail_status="none",
        about_id=named[0] if named else None,
        subject=notice.subject,
    )


def _resolved(tx: Transaction, value: Value | Person | Sentence, reader: Reader) -> Value:
    """The value itself; for a `Person`, their full name; for a `Sentence`, its text."""
    if isinstance(value, Sentence):
        return value.said_to(reader)
    if not isinstance(value, Person):
        return value
    user = profiles.get_user(tx, value.id)
    return f"{user.first_name} {user.last_name}"


def record_mail_status(tx: Transaction, notification_id: str | None, status: str) -> None:
    """Set the status of a notification's mail; None is a mail without a notification."""
    if notification_id is not None:
        store.set_mail_status(tx, notification_id, status)


def view_of(row: NotificationRow) -> NotificationView:
    shown = NotificationView.__struct_fields__
    return NotificationView(**{name: getattr(row, name) for name in shown})


def _readable(view: NotificationView, reader: Reader) -> NotificationView:
    """The notification; if its body was erased, with a body in the reader's language."""
    if view.body != ERASED_BODY:
        return view
    return msgspec.structs.replace(view, body=str(ERASED.said_to(reader)))


def _may_mail(tx: Transaction, user_id: str, kind: str) -> bool:
    """Whether `MAILS` allows one more mail of this kind to this user; counts it if so."""
    by = (tx.cause.actor_id if tx.cause else None) or ""
    return throttle.take_if_left(tx, MAILS, user_id, kind, by)


def _mail(tx: Transaction, row: NotificationRow, user: UserView, notice: Notice) -> None:
    values = {
        "title": Plain(row.title),
        "first_name": Plain(user.first_name),
        "body": Plain(row.body),
    }
    reader = profiles.reader_of(user)
    mail = mails.compose(
        tx,
        NOTICE,
        user.email,
        reader,
        values,
        link=row.link,
        expires_at=notice.expires_at,
        user_id=user.id,
        notice=NoticeMail(row.kind, row.id, row.about_id),
        calendar=notice.calendar,
    )
    tx.publish(mail if _may_mail(tx, user.id, row.kind) else mails.skipped(mail, "too_many"))
