"""Requests, views, events and refusals of notifications."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from handlers.kit.contract import Change, Cursor, Id, Limit, Personal, Request, ToUser, View
from handlers.kit.texts import opaque

PushToken = Annotated[str, opaque(1, 4_096)]
Ids = Annotated[list[Id], Meta(min_length=1, max_length=200)]


class ListNotifications(Request):
    limit: Limit = 50
    before: Cursor | None = None


class MarkNotificationsRead(Change, kw_only=True):
    ids: Ids


class RegisterDevice(Change):
    """The token that a push service issued to this app."""

    platform: Literal["ios", "android", "web"]
    token: PushToken


class UnregisterDevice(Change):
    token: PushToken


class NotificationView(View):
    """A notification; `link` is a route of the web page.

    `about_id` is the user that the text names, or null.
    """

    PERSONAL: ClassVar[Personal] = {
        "about_id": {"body": "The user named in this notification deleted their account."}
    }
    PLAIN: ClassVar[tuple[str, ...]] = ("kind", "title", "link", "data")
    id: str
    kind: str
    title: str
    body: str
    link: str
    data: dict[str, Any]
    created_at: datetime
    read_at: datetime | None
    about_id: str | None = None


class NotificationPage(View):
    """Notifications and the unread count, as of event `seq` of the user's own room."""

    notifications: list[NotificationView]
    unread: int
    next: str | None
    seq: int


class UnreadView(View):
    unread: int


class _OfInbox(ToUser):
    NAMESPACE: ClassVar[str | None] = "/notifications"
    PRIVATE: ClassVar[tuple[str, ...]] = ("user_id",)


class NotificationDispatched(_OfInbox):
    """A user got a notification."""

    NAME: ClassVar[str] = "NOTIFICATION_DISPATCHED"
    notification: NotificationView


class NotificationRead(_OfInbox, omit_defaults=True):
    """A user has read the notifications in `ids`; `unread` notifications are left.

    If it contains `withdrawn`, which is then true, these notifications are no longer listed.
    """

    NAME: ClassVar[str] = "NOTIFICATION_READ"
    ids: list[str]
    unread: int
    withdrawn: bool = False
