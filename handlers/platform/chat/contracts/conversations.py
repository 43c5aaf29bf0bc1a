"""Requests, views, events and refusals about conversations and their members."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from handlers.kit.contract import (
    Bound,
    Bounds,
    Change,
    Cursor,
    Event,
    Id,
    Limit,
    Membership,
    Name,
    Personal,
    Request,
    View,
)
from handlers.kit.errors import Refusal
from handlers.platform.chat.contracts.marks import Marks
from handlers.platform.chat.contracts.messages import MessageView
from handlers.platform.chat.contracts.rooms import chat_room
from rooms import names
from rooms.names import stream

MemberIds = Annotated[list[Id], Meta(min_length=1, max_length=3_000)]
"""As many as fit in a packet."""


Role = Literal["owner", "member"]


class LastOwner(Refusal):
    """A group needs an owner; make another member an owner first."""


class OpenConversation(Change, kw_only=True):
    user_id: Id


class CreateGroup(Change, kw_only=True):
    BOUNDS: ClassVar[Bounds] = {
        "member_ids": Bound("group_members_max", beside=1),  # the user who creates it
    }
    name: Name
    member_ids: MemberIds

    def uses(self) -> int:
        return max(len(self.member_ids), 1)


class ChangeMember(Change, kw_only=True):
    conversation_id: Id
    user_id: Id


class Rename(Change, kw_only=True):
    conversation_id: Id
    name: Name


class SetGroupPicture(Change, kw_only=True):
    """`upload_id` is a picture that you have uploaded; null removes the picture."""

    conversation_id: Id
    upload_id: Id | None = None


class SetRole(Change, kw_only=True):
    conversation_id: Id
    user_id: Id
    role: Role


class LeaveConversation(Change, kw_only=True):
    conversation_id: Id


class Type(Request):
    conversation_id: Id


class ListConversations(Request):
    """With `archived`, the archived conversations; otherwise the others.

    `only` is the id of a conversation: the list then has this one, archived or not.
    """

    limit: Limit = 50
    before: Cursor | None = None
    archived: bool = False
    only: Id | None = None


class ConversationView(View):
    """One conversation.

    A group has at least one owner. Its picture, if any, is at `/pictures/<picture_id>`. Up to 32
    members, `read` and `delivered` map each member to a message number; above that, they count the
    members who have read (or received) the newest message. With more than five members, their
    events are MARKS_GATHERED, and `marks_seq` is the number of the last one.
    """

    PERSONAL: ClassVar[Personal] = {"id": {"name": "Group"}}
    PLAIN: ClassVar[tuple[str, ...]] = ("read", "delivered")
    id: str
    kind: Literal["direct", "group"]
    name: str | None
    member_ids: list[str]
    owner_ids: list[str]
    picture_id: str | None
    seq: int
    read: Marks
    delivered: Marks
    marks_seq: int | UnsetType = UNSET


class ListedConversationView(ConversationView, kw_only=True):
    unread: int
    last_message: MessageView | None
    muted_until: datetime | None
    archived: bool
    draft: str


class ConversationPage(View):
    """Conversations, as of event `seq` of the user's own room."""

    conversations: list[ListedConversationView]
    next: str | None
    seq: int


class TypingEphemeral(msgspec.Struct):
    conversation_id: str
    user_id: str


class _AboutMembers(Event):
    NAMESPACE: ClassVar[str | None] = "/chat"
    conversation: ConversationView
    user_id: str

    def key(self) -> str:
        return f"chat:{self.conversation.id}"

    def joining(self) -> list[str]:
        """The users who are members from this event's number on."""
        return []

    def rooms(self) -> tuple[str, ...]:
        own = (names.user(user_id) for user_id in self.joining())
        return (chat_room(self.conversation.id), *own)

    def membership(self) -> tuple[Membership, ...]:
        chat = stream("/chat", chat_room(self.conversation.id))
        return tuple(
            Membership(user_id, chat, True, self.conversation.seq) for user_id in self.joining()
        )


class ConversationOpened(_AboutMembers):
    """User `user_id` opened a conversation."""

    NAME: ClassVar[str] = "CONVERSATION_OPENED"

    def joining(self) -> list[str]:
        return self.conversation.member_ids


class NotedChange(_AboutMembers):
    """`message` is the entry in the history; its number is this event's number."""

    message: MessageView | None = None


class MemberAdded(NotedChange):
    """User `user_id` is a member from this event on."""

    NAME: ClassVar[str] = "MEMBER_ADDED"

    def joining(self) -> list[str]:
        return [self.user_id]


class MemberRemoved(NotedChange):
    """User `user_id` is no longer a member after this event."""

    NAME: ClassVar[str] = "MEMBER_REMOVED"

    def rooms(self) -> tuple[str, ...]:
        return (chat_room(self.conversation.id), names.user(self.user_id))

    def membership(self) -> tuple[Membership, ...]:
        chat = stream("/chat", chat_room(self.conversation.id))
        return (Membership(self.user_id, chat, False, self.conversation.seq),)


class ConversationChanged(NotedChange):
    """A group's name, picture or owner changed; `user_id` is the member it concerns."""

    NAME: ClassVar[str] = "CONVERSATION_CHANGED"
