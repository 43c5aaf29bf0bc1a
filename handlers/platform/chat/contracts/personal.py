"""Contracts of a user's private state: muting, archiving, drafts, deletions for themselves, blocks.

The events go to the user's own room, so that all of their devices show the same state.
"""

from datetime import datetime
from typing import Annotated, ClassVar

from handlers.kit.contract import Change, Id, Moment, Nothing, Personal, Seq, ToUser, View
from handlers.kit.errors import Refusal
from handlers.kit.texts import message

Draft = Annotated[str, message(0, 8_000)]


class Blocked(Refusal):
    """One of you has blocked the other."""


class Mute(Change, kw_only=True):
    """Omit `until` to unmute the conversation."""

    conversation_id: Id
    until: Moment | None = None


class Archive(Change, kw_only=True):
    """`on` archives the conversation; otherwise it is unarchived."""

    conversation_id: Id
    on: bool = True


class KeepDraft(Change, kw_only=True):
    """An empty text removes the draft."""

    conversation_id: Id
    text: Draft = ""


class DeleteForMe(Change, kw_only=True):
    message_id: Id


class BlockPerson(Change, kw_only=True):
    """`on` blocks the user; otherwise the user is unblocked."""

    user_id: Id
    on: bool = True


class ListBlocked(Nothing):
    """Ask for the users you have blocked."""


class OwnStateView(View):
    """The user's own settings for a conversation."""

    OWN: ClassVar[tuple[str, ...]] = ("draft",)
    conversation_id: str
    muted_until: datetime | None = None
    archived: bool = False
    draft: str = ""


class BlockedView(View):
    """The users you have blocked, as of event `seq` of your own room."""

    user_ids: list[str]
    seq: int


class _OfPerson(ToUser):
    NAMESPACE: ClassVar[str | None] = "/chat"


class ConversationAdjusted(_OfPerson):
    """A user muted or archived a conversation, or changed a draft in it."""

    NAME: ClassVar[str] = "CONVERSATION_ADJUSTED"
    PERSONAL: ClassVar[Personal] = {"user_id": {"state": None}}
    state: OwnStateView


class ConversationRead(_OfPerson):
    """The user has read a conversation up to `seq`; sent when MESSAGE_READ is not."""

    NAME: ClassVar[str] = "CONVERSATION_READ"
    COUNTS_IN_REPLAY: ClassVar[bool] = False
    conversation_id: str
    seq: Seq


class ConversationMarkedUnread(_OfPerson):
    """The user marked the messages from number `seq` on as unread."""

    NAME: ClassVar[str] = "CONVERSATION_MARKED_UNREAD"
    conversation_id: str
    seq: Seq


class MessageRemoved(_OfPerson):
    """A user removed a message from their own history."""

    NAME: ClassVar[str] = "MESSAGE_REMOVED"
    conversation_id: str
    message_id: str


class PersonBlocked(_OfPerson):
    """A user blocked another user, or unblocked them (`on` is false)."""

    NAME: ClassVar[str] = "PERSON_BLOCKED"
    person_id: str
    on: bool
