"""Events of the delivery of messages."""

from typing import ClassVar, Literal

from handlers.kit.contract import Event, Moment

State = Literal["waiting", "sent", "skipped", "given_up", "refused"]
"""The states of a dispatch; all but `waiting` are final, unless an operator retries it.

- `skipped`: its content was no longer of use, or was erased;
- `given_up`: its recipient could not be reached for too long;
- `refused`: its recipient or its content was refused for good.
"""


class SendNotification(Event):
    """A message is ready to be sent; sealed, because it may contain a pincode."""

    NAME: ClassVar[str] = "SEND_NOTIFICATION"
    SEALED: ClassVar[bool] = True
    dispatch_id: str
    channel: str
    kind: str
    to: str
    subject: str
    text: str
    html: str
    notification_id: str | None = None
    user_id: str | None = None
    """The recipient, if it is not the owner of the address `to`."""
    about_id: str | None = None
    """The user that the text names."""
    cause_id: str | None = None
    """The event that caused it."""
    secret: bool = True
    """Whether it contains a pincode, so that nobody may send it again later."""
    expires_at: Moment | None = None
    """When its content is no longer of use."""
    calendar_method: str = ""
    calendar: str = ""
    """An iCalendar text that comes with the mail, and its method."""
    skipped_for: str = ""
    """Why it is only recorded, and not sent."""

    def key(self) -> str:
        return f"dispatch:{self.dispatch_id}"


class _OfDispatch(Event, kw_only=True):
    PLAIN: ClassVar[tuple[str, ...]] = ("channel", "reason")
    dispatch_id: str
    channel: str
    notification_id: str | None = None

    def key(self) -> str:
        return f"dispatch:{self.dispatch_id}"


class DispatchDue(_OfDispatch):
    """It is time to try a dispatch. A `probe` is tried although its channel is paused."""

    NAME: ClassVar[str] = "DISPATCH_DUE"
    probe: bool = False


class DeliverySucceeded(_OfDispatch):
    """A dispatch was handed over to its channel."""

    NAME: ClassVar[str] = "DELIVERY_SUCCEEDED"
    attempts: int


class DeliveryFailed(_OfDispatch):
    """A dispatch was refused for good, or given up."""

    NAME: ClassVar[str] = "DELIVERY_FAILED"
    attempts: int
    reason: str


class DeliverySkipped(_OfDispatch):
    """A dispatch was not sent, because its content was no longer of use, or was erased."""

    NAME: ClassVar[str] = "DELIVERY_SKIPPED"
    attempts: int
    reason: str


class RetryScheduled(_OfDispatch):
    """A dispatch failed and will be retried, at the earliest `at`, once its channel works."""

    NAME: ClassVar[str] = "RETRY_SCHEDULED"
    attempts: int
    at: Moment
    reason: str


class _OfChannel(Event, kw_only=True):
    PLAIN: ClassVar[tuple[str, ...]] = ("channel", "reason", "after")
    channel: str

    def key(self) -> str:
        return f"channel:{self.channel}"


class ChannelPaused(_OfChannel):
    """Nothing can be sent over a channel, by a fault of ours; its dispatches wait."""

    NAME: ClassVar[str] = "CHANNEL_PAUSED"
    reason: str


class ProbeDue(_OfChannel):
    """It is time to try one dispatch on a paused channel."""

    NAME: ClassVar[str] = "PROBE_DUE"


class ChannelResumed(_OfChannel):
    """A channel works again; the dispatches that waited for it follow."""

    NAME: ClassVar[str] = "CHANNEL_RESUMED"


class ReleaseGoesOn(_OfChannel):
    """The next page of the waiting dispatches of a resumed channel, from the id `after`."""

    NAME: ClassVar[str] = "RELEASE_GOES_ON"
    after: str
