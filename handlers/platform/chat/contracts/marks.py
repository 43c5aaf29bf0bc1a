"""Requests, views, events and refusals about read and delivery marks."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from handlers.kit.contract import Change, Event, Id, Request, Seq, View
from handlers.kit.errors import Refusal
from handlers.platform.chat.contracts.rooms import chat_room


class MoveMark(Change, kw_only=True):
    conversation_id: Id
    seq: Seq


class GetReceipts(Request):
    message_id: Id


class Receipt(msgspec.Struct):
    """When a user read (or received) a message; null when that was too long ago to be stored."""

    user_id: str
    at: datetime | None


class ReceiptsView(View):
    """The users who have read a message, and those whose devices have received it."""

    read: list[Receipt]
    delivered: list[Receipt]


class ReceiptsOff(Refusal):
    """Your read receipts are off, so you cannot see the receipts of other users."""


class _Mark(Event):
    NAMESPACE: ClassVar[str | None] = "/chat"
    conversation_id: str
    user_id: str
    seq: int

    def key(self) -> str:
        return f"chat:{self.conversation_id}"

    def rooms(self) -> tuple[str, ...]:
        return (chat_room(self.conversation_id),)


class MessageRead(_Mark):
    """A user has read a conversation up to `seq`."""

    NAME: ClassVar[str] = "MESSAGE_READ"


class MessageDelivered(_Mark):
    """A user's device has received everything up to `seq`."""

    NAME: ClassVar[str] = "MESSAGE_DELIVERED"


class MarkDue(Event):
    """It is time to publish how far a user has read (or received) a conversation."""

    NAME: ClassVar[str] = "MARK_DUE"
    conversation_id: str
    user_id: str
    kind: Literal["read", "delivered"]

    def key(self) -> str:
        return f"mark:{self.conversation_id}:{self.user_id}"
