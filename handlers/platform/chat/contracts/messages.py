"""Requests, views, events and refusals about messages: texts, media, reactions and cards."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from handlers.kit.contract import (
    Change,
    Cursor,
    Event,
    Id,
    Limit,
    Personal,
    Request,
    Seq,
    Text,
    View,
)
from handlers.kit.errors import Refusal
from handlers.kit.texts import line, message, opaque
from handlers.platform.chat.contracts.rooms import chat_room

MentionIds = Annotated[list[Id], Meta(max_length=20)]
ClientId = Annotated[str, opaque(1, 64)]
Caption = Annotated[str, message(0, 8_000)]
Emoji = Annotated[str, line(16)]
Wanted = Annotated[str, message(1, 200, pattern=r"\S")]


MessageKind = Literal["text", "card", "media", "system"]
"""A system message records a change of a group; its card contains the change and the user's id."""


class SendMessage(Change, kw_only=True):
    """`reply_to` is the message in the same conversation that this one replies to."""

    conversation_id: Id
    client_id: ClientId
    text: Text
    reply_to: Id | None = None
    mentions: MentionIds = msgspec.field(default_factory=list)


class SendMedia(Change, kw_only=True):
    """`text` is a caption; `duration_ms` is the length of a recording or a video."""

    conversation_id: Id
    client_id: ClientId
    upload_id: Id
    text: Caption = ""
    reply_to: Id | None = None
    mentions: MentionIds = msgspec.field(default_factory=list)
    duration_ms: Annotated[int, Meta(ge=0, le=86_400_000)] | None = None


class GetMessage(Request):
    message_id: Id


class GetMedia(Request):
    message_id: Id


class React(Change, kw_only=True):
    """`on` adds your reaction; otherwise it is removed."""

    message_id: Id
    emoji: Emoji
    on: bool = True


class EditMessage(Change, kw_only=True):
    """Without `mentions`, the mentions stay as they are."""

    message_id: Id
    text: Text
    mentions: MentionIds | None = None


class Pin(Change, kw_only=True):
    """`on` pins the message; otherwise it is unpinned."""

    message_id: Id
    on: bool = True


class ListPinned(Request):
    conversation_id: Id


class DeleteMessage(Change, kw_only=True):
    message_id: Id


class ReadHistory(Request):
    """The newest messages; those of the page after `before`; or those with numbers below
    `before_seq`."""

    conversation_id: Id
    before_seq: Seq | None = None
    before: Cursor | None = None
    limit: Limit = 50


class Search(Request):
    """Search for messages with all these words, in one conversation or all.

    Words match by their beginnings, in scripts without spaces anywhere; accents do not count.
    """

    text: Wanted
    conversation_id: Id | None = None
    before: Cursor | None = None
    limit: Limit = 20


class Card(msgspec.Struct):
    """An object of another domain that a message shows in its current state."""

    # Only in a system message, `id` is the id of a user.
    PERSONAL: ClassVar[Personal] = {"id": {"data": {}}}
    CARD_DATA: ClassVar[dict[str, str]] = {"data": "kind"}
    PLAIN: ClassVar[tuple[str, ...]] = ("kind",)
    kind: str
    id: str
    data: Any


class MediaView(msgspec.Struct):
    """A file in a message; `/chat media` answers its download links."""

    kind: Literal["image", "audio", "video", "file"]
    name: str
    content_type: str
    size: int
    width: int | None
    height: int | None
    duration_ms: int | None
    thumbnail: bool


class Reaction(msgspec.Struct):
    """How many users reacted with this emoji, and the first of them (up to 32)."""

    PLAIN: ClassVar[tuple[str, ...]] = ("emoji",)
    emoji: str
    count: int
    user_ids: list[str]


class ReactionsView(View):
    """The reactions to a message, the earliest first."""

    reactions: list[Reaction]


class LinkPreview(msgspec.Struct):
    """The metadata of the page behind a message's first link; `url` is the link as written."""

    url: str
    title: str
    description: str | None
    site_name: str | None


class MessageView(View):
    """One message; `seq` is the number of its MESSAGE_SENT.

    A reply contains the id of the original message but not its text, so that a deleted message is
    not quoted anywhere; members fetch the original with `get`. A `hidden` message has no content.
    """

    PERSONAL: ClassVar[Personal] = {
        "sender_id": {
            "text": "",
            "media": None,
            "client_id": None,
            "mentions": None,
            "preview": None,
        }
    }
    WRITTEN_BY: ClassVar[tuple[str, ...]] = ("sender_id",)
    PLAIN: ClassVar[tuple[str, ...]] = ("reply_to",)
    id: str
    conversation_id: str
    seq: int
    sender_id: str | None
    client_id: str | None
    kind: MessageKind
    text: str
    card: Card | None
    sent_at: datetime
    edited_at: datetime | None
    deleted: bool
    media: MediaView | None = None
    reply_to: str | None = None
    mentions: list[str] = msgspec.field(default_factory=list)
    reactions: list[Reaction] = msgspec.field(default_factory=list)
    preview: LinkPreview | None = None
    hidden: bool = False

    def about(self) -> str | None:
        return f"message:{self.id}"


class PinsView(View):
    """The pinned messages that the user can read, the latest pin first, as of event `seq`."""

    messages: list[MessageView]
    seq: int


class FoundView(View):
    """The matches, the newest first; an incomplete or empty page is not always the last one."""

    messages: list[MessageView]
    next: str | None


class TooLate(Refusal):
    """This message is too old to be edited or deleted."""


class HistoryView(View):
    """Messages in the order of their numbers, as of event `seq` of the conversation."""

    messages: list[MessageView]
    has_more: bool
    next: str | None
    seq: int


class _AboutMessage(Event):
    NAMESPACE: ClassVar[str | None] = "/chat"
    message: MessageView

    def key(self) -> str:
        return f"chat:{self.message.conversation_id}"

    def rooms(self) -> tuple[str, ...]:
        return (chat_room(self.message.conversation_id),)

    def about(self) -> str | None:
        return self.message.about()


class MessageSent(_AboutMessage):
    """A message was sent."""

    NAME: ClassVar[str] = "MESSAGE_SENT"


class MessageEdited(_AboutMessage):
    """A message, or the object that its card shows, changed."""

    NAME: ClassVar[str] = "MESSAGE_EDITED"


class MessageDeleted(_AboutMessage):
    """A message was deleted."""

    NAME: ClassVar[str] = "MESSAGE_DELETED"


class MessageHidden(_AboutMessage):
    """A message was hidden, until a moderator reviews it or permanently."""

    NAME: ClassVar[str] = "MESSAGE_HIDDEN"


class MessageRestored(Event):
    """A hidden message is shown again; users who can read it fetch it with `get`.

    The event does not contain the text, because members who joined later get it too.
    """

    NAME: ClassVar[str] = "MESSAGE_RESTORED"
    NAMESPACE: ClassVar[str | None] = "/chat"
    conversation_id: str
    message_id: str

    def key(self) -> str:
        return f"chat:{self.conversation_id}"

    def rooms(self) -> tuple[str, ...]:
        return (chat_room(self.conversation_id),)


class MessageReacted(Event):
    """The reactions to a message changed; the event contains all of them."""

    NAME: ClassVar[str] = "MESSAGE_REACTED"
    PLAIN: ClassVar[tuple[str, ...]] = ("reactions",)
    NAMESPACE: ClassVar[str | None] = "/chat"
    conversation_id: str
    message_id: str
    user_id: str
    reactions: list[Reaction]

    def key(self) -> str:
        return f"chat:{self.conversation_id}"

    def rooms(self) -> tuple[str, ...]:
        return (chat_room(self.conversation_id),)


class MessagePinned(Event):
    """A message was pinned in its conversation, or unpinned (`pinned` is false)."""

    NAME: ClassVar[str] = "MESSAGE_PINNED"
    NAMESPACE: ClassVar[str | None] = "/chat"
    conversation_id: str
    message_id: str
    user_id: str
    pinned: bool

    def key(self) -> str:
        return f"chat:{self.conversation_id}"

    def rooms(self) -> tuple[str, ...]:
        return (chat_room(self.conversation_id),)


class MessagePreviewed(Event):
    """A message got a link preview; null when the link was removed from the message."""

    NAME: ClassVar[str] = "MESSAGE_PREVIEWED"
    PLAIN: ClassVar[tuple[str, ...]] = ("preview",)  # rewritten together with its message
    NAMESPACE: ClassVar[str | None] = "/chat"
    conversation_id: str
    message_id: str
    preview: LinkPreview | None

    def key(self) -> str:
        return f"chat:{self.conversation_id}"

    def rooms(self) -> tuple[str, ...]:
        return (chat_room(self.conversation_id),)

    def about(self) -> str:
        return f"preview:{self.message_id}"


class MessageMentioned(Event):
    """A message mentions the members `user_ids`, and no longer those in `withdrawn_ids`."""

    NAME: ClassVar[str] = "MESSAGE_MENTIONED"
    conversation_id: str
    message_id: str
    sender_id: str
    user_ids: list[str]
    withdrawn_ids: list[str] = msgspec.field(default_factory=list)

    def key(self) -> str:
        return f"chat:{self.conversation_id}"


class MessageNoticed(Event):
    """The filter matched a message that a moderator should review."""

    NAME: ClassVar[str] = "MESSAGE_NOTICED"
    SEALED: ClassVar[bool] = True
    conversation_id: str
    message_id: str
    hit: str

    def key(self) -> str:
        return f"chat:{self.conversation_id}"


class MediaShared(Event):
    """A file was sent in a conversation."""

    NAME: ClassVar[str] = "MEDIA_SHARED"
    PLAIN: ClassVar[tuple[str, ...]] = ("kind",)
    conversation_id: str
    message_id: str
    upload_id: str
    kind: str

    def key(self) -> str:
        return f"chat:{self.conversation_id}"
