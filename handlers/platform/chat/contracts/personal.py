"""What is a person's own about conversations: muted, put away, drafted, removed, blocked.

Their events go to the person's own room, so that all of their devices show the same.
"""

from datetime import datetime
from typing import Annotated, ClassVar

from handlers.kit.contract import Change, Event, Id, Moment, Nothing, Personal, Seq, View
from handlers.kit.errors import Refusal
from handlers.kit.texts import message
from rooms import names

Draft = Annotated[str, message(0, 8_000)]


class Blocked(Refusal):
    """One of you has blocked the other."""


class Mute(Change, kw_only=True):
    """`until` is left out to hear of it again."""

    conversation_id: Id
    until: Moment | None = None


class Archive(Change, kw_only=True):
    """`on` puts it away, else it is taken back."""

    conversation_id: Id
    on: bool = True


class KeepDraft(Change, kw_only=True):
    """No text is no draft."""

    conversation_id: Id
    text: Draft = ""


class DeleteForMe(Change, kw_only=True):
    message_id: Id


class BlockPerson(Change, kw_only=True):
    """`on` blocks the person, else they are no longer blocked."""

    user_id: Id
    on: bool = True


class ListBlocked(Nothing):
    """Ask whom one has blocked."""


class OwnStateView(View):
    """What one made of a conversation for oneself."""

    OWN: ClassVar[tuple[str, ...]] = ("draft",)
    conversation_id: str
    muted_until: datetime | None = None
    archived: bool = False
    draft: str = ""


class BlockedView(View):
    """Whom one has blocked, and the number of one's own room that this reflects."""

    user_ids: list[str]
    seq: int


class _OfPerson(Event):
    NAMESPACE: ClassVar[str | None] = "/chat"
    user_id: str

    def key(self) -> str:
        return f"user:{self.user_id}"

    def rooms(self) -> tuple[str, ...]:
        return (names.user(self.user_id),)


class ConversationAdjusted(_OfPerson):
    """One muted a conversation, put it away, or wrote a draft in it."""

    NAME: ClassVar[str] = "CONVERSATION_ADJUSTED"
    PERSONAL: ClassVar[Personal] = {"user_id": {"state": None}}
    state: OwnStateView


class ConversationRead(_OfPerson):
    """One has read up to `seq`, and does not tell the others."""

    NAME: ClassVar[str] = "CONVERSATION_READ"
    conversation_id: str
    seq: Seq


class MessageRemoved(_OfPerson):
    """One removed a message for oneself alone."""

    NAME: ClassVar[str] = "MESSAGE_REMOVED"
    conversation_id: str
    message_id: str


class PersonBlocked(_OfPerson):
    """One blocked a person, or (`on` is false) no longer does."""

    NAME: ClassVar[str] = "PERSON_BLOCKED"
    person_id: str
    on: bool
