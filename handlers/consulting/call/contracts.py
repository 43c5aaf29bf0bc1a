"""What is said about calls."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from handlers.kit.contract import Change, Event, Id, Request, View
from handlers.kit.errors import Refusal
from handlers.kit.life import InstanceLost
from rooms import names


def call_room(call_id: str, user_id: str) -> str:
    """The room of one participant's devices in a call; ephemeral events only."""
    return f"call:{call_id}:{user_id}"


class InCall(Refusal):
    """One of the two participants is already in a call; `details.user_id` says who."""


class CallOver(Refusal):
    """This call has ended."""


class VideoUnavailable(Refusal):
    """The video provider of this call is no longer available; end the call and begin another."""


class GetAccess(Request):
    """Ask for new access to a call, before the access from `join` expires."""

    call_id: Id


class JoinCall(Change, kw_only=True):
    call_id: Id


class LeaveCall(Change, kw_only=True):
    call_id: Id


class EndCall(Change, kw_only=True):
    call_id: Id


class Signal(Request):
    """A signal for the other participant's browser; the server forwards `data` unread."""

    call_id: Id
    to: Id
    data: msgspec.Raw


class ReportQuality(Request):
    """The connection of this device in the last seconds, from the browser's `getStats`.

    `loss` is the part of the packets that were lost; `freezes` counts those of the video.
    """

    call_id: Id
    loss: Annotated[float, Meta(ge=0, le=1)]
    jitter_ms: Annotated[int, Meta(ge=0, le=60_000)]
    round_trip_ms: Annotated[int, Meta(ge=0, le=60_000)]
    received_kbps: Annotated[int, Meta(ge=0, le=1_000_000)]
    sent_kbps: Annotated[int, Meta(ge=0, le=1_000_000)]
    freezes: Annotated[int, Meta(ge=0, le=1_000)]
    path: Literal["direct", "relay", "server"]


class GetQuality(Request):
    call_id: Id


class SignalEphemeral(msgspec.Struct, rename={"sender": "from"}):
    """A signal as the other participant receives it."""

    call_id: str
    sender: str
    data: msgspec.Raw


class MovedEphemeral(msgspec.Struct):
    """The participant's call continues on another of their devices."""

    call_id: str


class IceServer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A STUN or TURN server, in the form that browsers accept."""

    urls: list[str]
    username: str | None = None
    credential: str | None = None


class CallView(View):
    """One call; `talked_s` counts only the time when both participants were connected."""

    PLAIN: ClassVar[tuple[str, ...]] = ("ice_servers",)
    id: str
    booking_id: str
    consultant_id: str
    student_id: str
    status: Literal["initiated", "active", "ended"]
    provider: Literal["browser", "livekit", "jitsi"]
    ice_servers: list[IceServer]
    started_at: datetime | None
    ended_at: datetime | None
    end_reason: Literal["ended", "left", "lost", "unheld", "cancelled"] | None
    talked_s: int


class AccessView(View):
    """What one device needs to take part in a call until `expires_at`; null: it does not expire.

    With `browser` as provider these are the `ice_servers`. A video service has a `url`, a `room`
    and a `token`, which lets only this user into only this room. No event contains it.
    """

    PLAIN: ClassVar[tuple[str, ...]] = ("ice_servers", "url", "room", "token")
    ice_servers: list[IceServer] = msgspec.field(default_factory=list)
    url: str | None = None
    room: str | None = None
    token: str | None = None
    expires_at: datetime | None = None


class JoinedCallView(CallView):
    """A call, and what this device needs to take part in it."""

    access: AccessView


class QualityView(View):
    """The words for one report: how good the connection is, and which path it uses."""

    quality: Literal["good", "poor", "bad"]
    path: Literal["direct", "relay", "server"]


class ConnectionView(msgspec.Struct, kw_only=True):
    """All reports of one user in a call: means, maxima, and how many were `poor` or `bad`."""

    user_id: str
    quality: Literal["good", "poor", "bad"]
    path: Literal["direct", "relay", "server"]
    reports: int
    poor: int
    bad: int
    loss: float
    loss_max: float
    jitter_ms: int
    jitter_ms_max: int
    round_trip_ms: int
    round_trip_ms_max: int
    received_kbps: int
    sent_kbps: int
    freezes: int


class CallQualityView(View):
    """The connections of the users of a call who have sent a report."""

    call_id: str
    connections: list[ConnectionView]


class CurrentCallView(View):
    """The user's open call, or null, as of event `seq` of the user's own room."""

    call: CallView | None
    interrupted: bool
    seq: int


class AboutCall(Event):
    """An event about one call."""

    NAMESPACE: ClassVar[str | None] = "/call"
    call: CallView

    def key(self) -> str:
        return f"call:{self.call.id}"

    def rooms(self) -> tuple[str, ...]:
        return (names.user(self.call.student_id), names.user(self.call.consultant_id))


class CallInitiated(AboutCall):
    """A call is open, and its two participants can join."""

    NAME: ClassVar[str] = "CALL_INITIATED"


class CallStarted(AboutCall):
    """Both participants have joined."""

    NAME: ClassVar[str] = "CALL_STARTED"


class CallInterrupted(AboutCall):
    """One participant lost the connection."""

    NAME: ClassVar[str] = "CALL_INTERRUPTED"


class CallResumed(AboutCall):
    """Both participants are connected again."""

    NAME: ClassVar[str] = "CALL_RESUMED"


class CallEnded(AboutCall):
    """The call ended; `end_reason` says how. Its booking goes on unless somebody ended it."""

    NAME: ClassVar[str] = "CALL_ENDED"


class CallDurationRecorded(AboutCall):
    """The duration of the call was recorded."""

    NAME: ClassVar[str] = "CALL_DURATION_RECORDED"


class CallQualityReported(Event):
    """The connection of one user became `good`, `poor` or `bad`; it is `good` at first."""

    NAME: ClassVar[str] = "CALL_QUALITY_REPORTED"
    NAMESPACE: ClassVar[str | None] = "/call"
    PRIVATE: ClassVar[tuple[str, ...]] = ("parties",)
    call_id: str
    user_id: str
    quality: Literal["good", "poor", "bad"]
    parties: tuple[str, str]

    def key(self) -> str:
        return f"call:{self.call_id}"

    def rooms(self) -> tuple[str, ...]:
        return tuple(names.user(user_id) for user_id in self.parties)


class CallDue(Event):
    """It is time to check whether a call with a missing participant has ended."""

    NAME: ClassVar[str] = "CALL_DUE"
    call_id: str

    def key(self) -> str:
        return f"call:{self.call_id}"


class MoreStaysLeft(InstanceLost):
    """A dead instance left more leases than one transaction can end."""

    NAME: ClassVar[str] = "CALL_MORE_STAYS_LEFT"
