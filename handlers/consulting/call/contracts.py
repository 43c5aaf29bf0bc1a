"""What is said about calls."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from handlers.kit.contract import Change, Event, Id, Request, View
from handlers.kit.errors import Refusal
from handlers.kit.life import InstanceLost
from rooms import names


class InCall(Refusal):
    """The consultant is in a call already."""


class CallOver(Refusal):
    """This call is over."""


class JoinCall(Change, kw_only=True):
    call_id: Id


class LeaveCall(Change, kw_only=True):
    call_id: Id


class EndCall(Change, kw_only=True):
    call_id: Id


class Signal(Request):
    """Something for the other participant's browser; the server only carries it."""

    call_id: Id
    to: Id
    data: msgspec.Raw


class SignalEphemeral(msgspec.Struct, rename={"sender": "from"}):
    """A signal as the other participant gets it."""

    call_id: str
    sender: str
    data: msgspec.Raw


class IceServer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A STUN or TURN server, as browsers take it."""

    urls: list[str]
    username: str | None = None
    credential: str | None = None


class CallView(View):
    """One call; `talked_s` counts only while both were connected."""

    PLAIN: ClassVar[tuple[str, ...]] = ("ice_servers",)
    id: str
    booking_id: str
    consultant_id: str
    student_id: str
    status: Literal["initiated", "active", "ended"]
    provider: Literal["browser"]
    ice_servers: list[IceServer]
    started_at: datetime | None
    ended_at: datetime | None
    talked_s: int


class CurrentCallView(View):
    """One's open call, if there is one, and the number of one's own room that it reflects."""

    call: CallView | None
    interrupted: bool
    seq: int


class AboutCall(Event):
    """What every event about a call has in common."""

    NAMESPACE: ClassVar[str | None] = "/call"
    call: CallView

    def key(self) -> str:
        return f"call:{self.call.id}"

    def rooms(self) -> tuple[str, ...]:
        return (names.user(self.call.student_id), names.user(self.call.consultant_id))


class CallInitiated(AboutCall):
    """A call is open for its two participants."""

    NAME: ClassVar[str] = "CALL_INITIATED"


class CallStarted(AboutCall):
    """Both are in."""

    NAME: ClassVar[str] = "CALL_STARTED"


class CallInterrupted(AboutCall):
    """One of the two is lost."""

    NAME: ClassVar[str] = "CALL_INTERRUPTED"


class CallResumed(AboutCall):
    """Both are in again."""

    NAME: ClassVar[str] = "CALL_RESUMED"


class CallEnded(AboutCall):
    """It is over."""

    NAME: ClassVar[str] = "CALL_ENDED"


class CallDurationRecorded(AboutCall):
    """How long they talked is on record."""

    NAME: ClassVar[str] = "CALL_DURATION_RECORDED"


class CallDue(Event):
    """It is time to look whether a call that lacks somebody is over."""

    NAME: ClassVar[str] = "CALL_DUE"
    call_id: str

    def key(self) -> str:
        return f"call:{self.call_id}"


class MoreStaysLeft(InstanceLost):
    """A dead instance left more stays than one transaction ends."""

    NAME: ClassVar[str] = "CALL_MORE_STAYS_LEFT"
