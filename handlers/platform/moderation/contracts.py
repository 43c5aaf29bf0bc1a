"""What is said about flags, cases and those who decide them."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from handlers.kit.contract import (
    PAGE,
    Change,
    Event,
    Id,
    Limit,
    Membership,
    Personal,
    Request,
    ShortText,
    Version,
    View,
)
from handlers.kit.errors import Refusal
from handlers.kit.roles import RoleName
from handlers.platform.chat.contracts.messages import MessageView
from rooms import names
from rooms.names import stream

Reason = Literal["spam", "harassment", "hate", "sexual", "violence", "illegal", "other"]
Decision = Literal["dismiss", "hide"]
Act = Literal["grant", "revoke", "hide_by_flags", "dismiss", "hide", "undo"]


class OwnMessage(Refusal):
    """It is your own message."""


class FlagMessage(Change, kw_only=True):
    """`note` says more than the reason does."""

    message_id: Id
    reason: Reason
    note: ShortText = ""


class ListQueue(Request):
    """The oldest come first: `after` is the `next` of the page before."""

    limit: Limit = PAGE
    after: Id | None = None


class GetCase(Request):
    case_id: Id


class DecideCase(Change, kw_only=True):
    """`version` is of the case as it was looked at."""

    case_id: Id
    version: Version
    decision: Decision
    note: ShortText = ""


class UndoDecision(Change, kw_only=True):
    case_id: Id
    version: Version
    note: ShortText = ""


class ListAudit(Request):
    limit: Limit = PAGE
    before: Id | None = None


class CaseView(View):
    """A message that was flagged by people, or noticed by the filter (`hit` is what it found).

    `hidden` is whether the message is. A case is `gone` when its sender took the message back.
    """

    PERSONAL: ClassVar[Personal] = {"sender_id": {"hit": None}}
    WRITTEN_BY: ClassVar[tuple[str, ...]] = ("sender_id",)
    PLAIN: ClassVar[tuple[str, ...]] = ("reasons", "decided_by")
    id: str
    message_id: str
    conversation_id: str
    sender_id: str | None
    status: Literal["open", "dismissed", "hidden", "gone"]
    flags: int
    reasons: dict[str, int]
    hit: str | None
    hidden: bool
    opened_at: datetime
    closed_at: datetime | None
    decided_by: str | None
    version: int

    def about(self) -> str | None:
        return f"case:{self.id}"


class FlagNote(msgspec.Struct):
    """What a flag says; whose it is nobody is told."""

    reason: str
    note: str
    at: datetime


class OpenedCase(View):
    """A case with its message as it was said, and what the first flags say (up to 100)."""

    case: CaseView
    message: MessageView
    notes: list[FlagNote]


class QueuePage(View):
    """Open cases, the oldest first, and the number of the moderators' room that they reflect."""

    cases: list[CaseView]
    next: str | None
    seq: int


class AuditEntry(msgspec.Struct):
    """One act; of the operator or the server itself without `actor_id`. `user_id` is about whom."""

    id: str
    at: datetime
    act: Act
    actor_id: str | None
    user_id: str | None
    role: RoleName | None
    case_id: str | None
    message_id: str | None
    note: str


class AuditPage(View):
    """What was done, the newest first."""

    entries: list[AuditEntry]
    next: str | None


class _AboutCase(Event):
    NAMESPACE: ClassVar[str | None] = "/moderation"
    case: CaseView

    def key(self) -> str:
        return f"case:{self.case.id}"

    def rooms(self) -> tuple[str, ...]:
        return (names.MODERATORS,)

    def about(self) -> str | None:
        return self.case.about()


class CaseOpened(_AboutCase):
    """There is something to look at."""

    NAME: ClassVar[str] = "CASE_OPENED"


class CaseChanged(_AboutCase):
    """More flags, a decision, one that was undone, or its message was changed or is gone."""

    NAME: ClassVar[str] = "CASE_CHANGED"


class _AboutModerator(Event):
    NAMESPACE: ClassVar[str | None] = "/moderation"
    JOINS: ClassVar[bool]
    user_id: str
    seq: int

    def key(self) -> str:
        return f"user:{self.user_id}"

    def rooms(self) -> tuple[str, ...]:
        return (names.MODERATORS, names.user(self.user_id))

    def membership(self) -> tuple[Membership, ...]:
        room = stream("/moderation", names.MODERATORS)
        return (Membership(self.user_id, room, self.JOINS, self.seq),)


class ModeratorAdded(_AboutModerator):
    """Somebody is a moderator, and hears the moderators' room from number `seq` on."""

    NAME: ClassVar[str] = "MODERATOR_ADDED"
    JOINS: ClassVar[bool] = True


class ModeratorRemoved(_AboutModerator):
    """Somebody is a moderator no more: number `seq` is the last that they hear of that room."""

    NAME: ClassVar[str] = "MODERATOR_REMOVED"
    JOINS: ClassVar[bool] = False


class FlagAnswered(Event):
    """A moderator has looked at what a person flagged."""

    NAME: ClassVar[str] = "FLAG_ANSWERED"
    user_id: str
    case_id: str

    def key(self) -> str:
        return f"user:{self.user_id}"
