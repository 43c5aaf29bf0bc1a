"""What is said in conversations: texts, files, signs, cards."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from handlers.kit.contract import (
    Change,
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
from rooms import names

MentionIds = Annotated[list[Id], Meta(max_length=20)]
ClientId = Annotated[str, opaque(1, 64)]
Caption = Annotated[str, message(0, 8_000)]
Emoji = Annotated[str, line(16)]
Wanted = Annotated[str, message(1, 200, pattern=r"\S")]


MessageKind = Literal["text", "card", "media", "system"]
"""A system message is a note in the history; its card says what of whom."""


class SendMessage(Change, kw_only=True):
    """`reply_to` is a message of the same conversation that this one answers."""

    conversation_id: Id
    client_id: ClientId
    text: Text
    reply_to: Id | None = None
    mentions: MentionIds = msgspec.field(default_factory=list)


class SendMedia(Change, kw_only=True):
    """`text` is a word to it; `duration_ms` is of a recording or a video."""

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
    """`on` puts the sign there, else it is taken away."""

    message_id: Id
    emoji: Emoji
    on: bool = True


class EditMessage(Change, kw_only=True):
    """Who is mentioned stays as it was, unless `mentions` are given."""

    message_id: Id
    text: Text
    mentions: MentionIds | None = None


class Pin(Change, kw_only=True):
    """`on` pins the message, else it is no longer pinned."""

    message_id: Id
    on: bool = True


class ListPinned(Request):
    conversation_id: Id


class DeleteMessage(Change, kw_only=True):
    message_id: Id


class ReadHistory(Request):
    conversation_id: Id
    before_seq: Seq | None = None
    limit: Limit = 50


class Search(Request):
    """Words, each found by how it begins; in one conversation, or in all; before a message."""

    text: Wanted
    conversation_id: Id | None = None
    before: Id | None = None
    limit: Limit = 20


class Card(msgspec.Struct):
    """Something of another domain that a message shows, as it is now."""

    PERSONAL: ClassVar[Personal] = {"id": {"data": {}}}  # of a note, which has a person's id
    CARD_DATA: ClassVar[dict[str, str]] = {"data": "kind"}
    PLAIN: ClassVar[tuple[str, ...]] = ("kind",)
    kind: str
    id: str
    data: Any


class MediaView(msgspec.Struct):
    """A file that a message shows; `/chat media` tells where it is fetched."""

    kind: Literal["image", "audio", "video", "file"]
    name: str
    content_type: str
    size: int
    width: int | None
    height: int | None
    duration_ms: int | None
    thumbnail: bool


class MediaLinks(View):
    """Addresses that are good for five minutes."""

    url: str
    thumbnail_url: str | None


class Reaction(msgspec.Struct):
    """How many put this sign on a message, and who of them did so first (up to 32)."""

    PLAIN: ClassVar[tuple[str, ...]] = ("emoji",)
    emoji: str
    count: int
    user_ids: list[str]


class ReactionsView(View):
    """The signs on a message, as they came."""

    reactions: list[Reaction]


class LinkPreview(msgspec.Struct):
    """What the page behind a message's first link says of itself; `url` is as it was linked."""

    url: str
    title: str
    description: str | None
    site_name: str | None


class MessageView(View):
    """One message; `seq` is the number of its MESSAGE_SENT.

    A reply has the id of what it answers and nothing of its text: who may read that asks for it by
    `get`, and what was taken back is quoted nowhere. A `hidden` one shows nothing of what it says.
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
    """The pinned messages that one may read, the latest pinned first, and the head."""

    messages: list[MessageView]
    seq: int


class FoundView(View):
    """What was found, the newest first; a page of few, or none, need not be the last."""

    messages: list[MessageView]
    next: str | None


class TooLate(Refusal):
    """That was possible for a time after it was said."""


class HistoryView(View):
    """Messages in the order of their numbers, and the head that this reflects."""

    messages: list[MessageView]
    has_more: bool
    seq: int


class _AboutMessage(Event):
    NAMESPACE: ClassVar[str | None] = "/chat"
    message: MessageView

    def key(self) -> str:
        return f"chat:{self.message.conversation_id}"

    def rooms(self) -> tuple[str, ...]:
        return (names.chat(self.message.conversation_id),)

    def about(self) -> str | None:
        return self.message.about()


class MessageSent(_AboutMessage):
    """Something was said."""

    NAME: ClassVar[str] = "MESSAGE_SENT"


class MessageEdited(_AboutMessage):
    """What was said changed, or what its card shows."""

    NAME: ClassVar[str] = "MESSAGE_EDITED"


class MessageDeleted(_AboutMessage):
    """What was said is gone."""

    NAME: ClassVar[str] = "MESSAGE_DELETED"


class MessageHidden(_AboutMessage):
    """What was said is shown to nobody until it is looked at, or for good."""

    NAME: ClassVar[str] = "MESSAGE_HIDDEN"


class MessageRestored(Event):
    """A hidden message is shown again: who may read it asks for it by `get`.

    It tells nothing of the text: who came after it was said hears this too.
    """

    NAME: ClassVar[str] = "MESSAGE_RESTORED"
    NAMESPACE: ClassVar[str | None] = "/chat"
    conversation_id: str
    message_id: str

    def key(self) -> str:
        return f"chat:{self.conversation_id}"

    def rooms(self) -> tuple[str, ...]:
        return (names.chat(self.conversation_id),)


class MessageReacted(Event):
    """The signs on a message changed; these are all of them now."""

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
        return (names.chat(self.conversation_id),)


class MessagePinned(Event):
    """A message was pinned in its conversation, or (`pinned` is false) no longer is."""

    NAME: ClassVar[str] = "MESSAGE_PINNED"
    NAMESPACE: ClassVar[str | None] = "/chat"
    conversation_id: str
    message_id: str
    user_id: str
    pinned: bool

    def key(self) -> str:
        return f"chat:{self.conversation_id}"

    def rooms(self) -> tuple[str, ...]:
        return (names.chat(self.conversation_id),)


class MessagePreviewed(Event):
    """The page that a message links is shown with it; None once the message took that back."""

    NAME: ClassVar[str] = "MESSAGE_PREVIEWED"
    PLAIN: ClassVar[tuple[str, ...]] = ("preview",)  # which is rewritten with its message
    NAMESPACE: ClassVar[str | None] = "/chat"
    conversation_id: str
    message_id: str
    preview: LinkPreview | None

    def key(self) -> str:
        return f"chat:{self.conversation_id}"

    def rooms(self) -> tuple[str, ...]:
        return (names.chat(self.conversation_id),)

    def about(self) -> str:
        return f"preview:{self.message_id}"


class MessageMentioned(Event):
    """These members are named by a message."""

    NAME: ClassVar[str] = "MESSAGE_MENTIONED"
    conversation_id: str
    message_id: str
    sender_id: str
    user_ids: list[str]

    def key(self) -> str:
        return f"chat:{self.conversation_id}"


class MessageNoticed(Event):
    """The filter found something in what was said, which somebody should look at."""

    NAME: ClassVar[str] = "MESSAGE_NOTICED"
    SEALED: ClassVar[bool] = True
    conversation_id: str
    message_id: str
    hit: str

    def key(self) -> str:
        return f"chat:{self.conversation_id}"


class MediaShared(Event):
    """A file was shown in a conversation."""

    NAME: ClassVar[str] = "MEDIA_SHARED"
    PLAIN: ClassVar[tuple[str, ...]] = ("kind",)
    conversation_id: str
    message_id: str
    upload_id: str
    kind: str

    def key(self) -> str:
        return f"chat:{self.conversation_id}"
