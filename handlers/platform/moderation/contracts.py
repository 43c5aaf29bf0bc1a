"""Requests, views, events and refusals about flags, cases, decisions and the audit log."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from handlers.kit.contract import (
    PAGE,
    Change,
    Cursor,
    Event,
    Id,
    Limit,
    Membership,
    Personal,
    Request,
    ShortText,
    UserEvent,
    Version,
    View,
)
from handlers.kit.errors import Refusal
from handlers.kit.roles import RoleName
from handlers.platform.chat.contracts.messages import MessageView
from rooms import names
from rooms.names import stream

MODERATORS_ROOM = "moderators"
"""The room of all users with the role of moderator."""

Reason = Literal["spam", "harassment", "hate", "sexual", "violence", "illegal", "other"]
Decision = Literal["dismiss", "hide"]
Act = Literal["grant", "revoke", "hide_by_flags", "dismiss", "hide", "undo"]


class OwnMessage(Refusal):
    """This is your own message."""


class FlagMessage(Change, kw_only=True):
    """`note` explains the reason."""

    message_id: Id
    reason: Reason
    note: ShortText = ""


class ListQueue(Request):
    """The oldest cases come first. `after` is the older name of `before`."""

    limit: Limit = PAGE
    before: Cursor | None = None
    after: Cursor | None = None


class GetCase(Request):
    case_id: Id


class DecideCase(Change, kw_only=True):
    """`version` is the version of the case that the moderator looked at."""

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
    before: Cursor | None = None


class CaseView(View):
    """A message that users flagged, or that the filter matched (`hit` is the matched entry).

    `hidden` is whether the message is hidden. A case is `gone` when the sender deleted the message.
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
    """The content of a flag, without the user who sent it."""

    reason: str
    note: str
    at: datetime


class OpenedCase(View):
    """A case with its original message, and the first flags (up to 100)."""

    case: CaseView
    message: MessageView
    notes: list[FlagNote]


class QueuePage(View):
    """Open cases, the oldest first, as of event `seq` of the moderators' room."""

    cases: list[CaseView]
    next: str | None
    seq: int


class AuditEntry(msgspec.Struct):
    """One action on `user_id`; without `actor_id`, the operator or the server took it."""

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
    """The audit log, the newest entries first."""

    entries: list[AuditEntry]
    next: str | None


class _AboutCase(Event):
    NAMESPACE: ClassVar[str | None] = "/moderation"
    case: CaseView

    def key(self) -> str:
        return f"case:{self.case.id}"

    def rooms(self) -> tuple[str, ...]:
        return (MODERATORS_ROOM,)

    def about(self) -> str | None:
        return self.case.about()


class CaseOpened(_AboutCase):
    """A case was opened."""

    NAME: ClassVar[str] = "CASE_OPENED"


class CaseChanged(_AboutCase):
    """A case got flags or a decision, a decision was undone, or the message changed or is gone."""

    NAME: ClassVar[str] = "CASE_CHANGED"


class _AboutModerator(UserEvent):
    NAMESPACE: ClassVar[str | None] = "/moderation"
    JOINS: ClassVar[bool]
    seq: int

    def rooms(self) -> tuple[str, ...]:
        return (MODERATORS_ROOM, names.user(self.user_id))

    def membership(self) -> tuple[Membership, ...]:
        room = stream("/moderation", MODERATORS_ROOM)
        return (Membership(self.user_id, room, self.JOINS, self.seq),)


class ModeratorAdded(_AboutModerator):
    """A user became a moderator, and gets the moderators' room from event `seq` on."""

    NAME: ClassVar[str] = "MODERATOR_ADDED"
    JOINS: ClassVar[bool] = True


class ModeratorRemoved(_AboutModerator):
    """A user is no longer a moderator; event `seq` is the last one they get in that room."""

    NAME: ClassVar[str] = "MODERATOR_REMOVED"
    JOINS: ClassVar[bool] = False


class FlagAnswered(UserEvent):
    """A moderator reviewed a message that a user flagged."""

    NAME: ClassVar[str] = "FLAG_ANSWERED"
    case_id: str
