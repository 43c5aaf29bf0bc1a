"""How far people have read (or got) a conversation."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from handlers.kit.contract import Change, Event, Id, Request, Seq, View
from handlers.kit.errors import Refusal
from rooms import names


class MoveMark(Change, kw_only=True):
    conversation_id: Id
    seq: Seq


class GetReceipts(Request):
    message_id: Id


class Receipt(msgspec.Struct):
    """When a person had read (or got) it; none is told where that was too long ago to be known."""

    user_id: str
    at: datetime | None


class ReceiptsView(View):
    """Who has read and who has got a message."""

    read: list[Receipt]
    delivered: list[Receipt]


class ReceiptsOff(Refusal):
    """You do not tell others what you read, so you are not told either."""


class _Mark(Event):
    NAMESPACE: ClassVar[str | None] = "/chat"
    conversation_id: str
    user_id: str
    seq: int

    def key(self) -> str:
        return f"chat:{self.conversation_id}"

    def rooms(self) -> tuple[str, ...]:
        return (names.chat(self.conversation_id),)


class MessageRead(_Mark):
    """A person has read up to `seq`."""

    NAME: ClassVar[str] = "MESSAGE_READ"


class MessageDelivered(_Mark):
    """A person's device has got everything up to `seq`."""

    NAME: ClassVar[str] = "MESSAGE_DELIVERED"


class MarkDue(Event):
    """It is time to tell how far a person has read (or got) a conversation."""

    NAME: ClassVar[str] = "MARK_DUE"
    conversation_id: str
    user_id: str
    kind: Literal["read", "delivered"]

    def key(self) -> str:
        return f"mark:{self.conversation_id}:{self.user_id}"
