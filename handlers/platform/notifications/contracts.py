"""What is said about notifications."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from handlers.kit.contract import Change, Event, Id, Limit, Personal, Request, View
from handlers.kit.texts import opaque
from rooms import names

PushToken = Annotated[str, opaque(1, 4_096)]
Ids = Annotated[list[Id], Meta(min_length=1, max_length=200)]


class ListNotifications(Request):
    limit: Limit = 50
    before: Id | None = None


class MarkNotificationsRead(Change, kw_only=True):
    ids: Ids


class RegisterDevice(Change):
    """What a push service gave this app to be reached by."""

    platform: Literal["ios", "android", "web"]
    token: PushToken


class UnregisterDevice(Change):
    token: PushToken


class NotificationView(View):
    """Something that a person is told; `link` is a place in the page.

    `about_id` is who is named in it, if anybody is.
    """

    PERSONAL: ClassVar[Personal] = {
        "about_id": {"body": "The account of who this is about was deleted."}
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
    """Notifications, the unread count, and the number of one's own room that they reflect."""

    notifications: list[NotificationView]
    unread: int
    next: str | None
    seq: int


class UnreadView(View):
    unread: int


class _ToUser(Event):
    NAMESPACE: ClassVar[str | None] = "/notifications"
    PRIVATE: ClassVar[tuple[str, ...]] = ("user_id",)
    user_id: str

    def key(self) -> str:
        return f"user:{self.user_id}"

    def rooms(self) -> tuple[str, ...]:
        return (names.user(self.user_id),)


class NotificationDispatched(_ToUser):
    """A person was told something."""

    NAME: ClassVar[str] = "NOTIFICATION_DISPATCHED"
    notification: NotificationView


class NotificationRead(_ToUser):
    """A person has read some of them; `unread` are left."""

    NAME: ClassVar[str] = "NOTIFICATION_READ"
    ids: list[str]
    unread: int
