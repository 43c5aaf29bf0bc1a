"""How far people have read (or got) a conversation."""

from typing import ClassVar, Literal

from handlers.kit.contract import (
    Change,
    Event,
    Id,
    Seq,
)
from rooms import names


class MoveMark(Change, kw_only=True):
    conversation_id: Id
    seq: Seq


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
