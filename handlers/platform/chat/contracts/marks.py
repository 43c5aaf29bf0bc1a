"""Requests, views, events and refusals about read and delivery marks."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from handlers.kit.contract import Change, Event, Id, Request, Seq, View
from handlers.kit.errors import Refusal
from handlers.platform.chat.contracts.rooms import chat_room, marks_room

Marks = dict[str, int] | int
"""The number that each member has reached; or how many members have reached the newest message."""


class MoveMark(Change, kw_only=True):
    conversation_id: Id
    seq: Seq


class MarkUnread(Change, kw_only=True):
    """`seq` is the first message to mark; by default the newest one of another user."""

    conversation_id: Id
    seq: Seq | None = None


class WatchMarks(Request):
    conversation_id: Id


class UnwatchMarks(Request):
    conversation_id: Id


class MarksView(View):
    """The read and delivery marks of a conversation, as of event `seq` of their own room.

    Up to 32 members, `read` and `delivered` map each member to a message number. Above that, they
    count the members who have read (or received) the newest message, whose number is `message_seq`.
    """

    PLAIN: ClassVar[tuple[str, ...]] = ("read", "delivered")
    conversation_id: str
    read: Marks
    delivered: Marks
    message_seq: int | None
    seq: int


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


class NothingToMark(Refusal):
    """There is no message of another user to mark as unread."""


class _Mark(Event):
    NAMESPACE: ClassVar[str | None] = "/chat"
    COUNTS_IN_REPLAY: ClassVar[bool] = False
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


class MarksGathered(Event):
    """Members of a conversation with more than five have read or received messages.

    `read`, `delivered` and `message_seq` are those of the answer of `watch`, as they are now.
    """

    NAME: ClassVar[str] = "MARKS_GATHERED"
    NAMESPACE: ClassVar[str | None] = "/chat"
    PLAIN: ClassVar[tuple[str, ...]] = ("read", "delivered")
    conversation_id: str
    read: Marks
    delivered: Marks
    message_seq: int | None

    def key(self) -> str:
        return f"chat:{self.conversation_id}"

    def rooms(self) -> tuple[str, ...]:
        return (marks_room(self.conversation_id),)


class MarksDue(Event):
    """It is time to publish the gathered marks of a conversation."""

    NAME: ClassVar[str] = "MARKS_DUE"
    conversation_id: str

    def key(self) -> str:
        return f"marks:{self.conversation_id}"


class MarkDue(Event):
    """It is time to publish how far a user has read (or received) a conversation."""

    NAME: ClassVar[str] = "MARK_DUE"
    conversation_id: str
    user_id: str
    kind: Literal["read", "delivered"]

    def key(self) -> str:
        return f"mark:{self.conversation_id}:{self.user_id}"
