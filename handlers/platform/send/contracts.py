"""What is said about sending."""

from typing import ClassVar

from handlers.kit.contract import Event, Moment


class SendNotification(Event):
    """Something is ready to be sent. It may carry a pincode, so it is sealed."""

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
    """It is time to (re)try a dispatch."""

    NAME: ClassVar[str] = "DISPATCH_DUE"


class DeliverySucceeded(_OfDispatch):
    """It was handed over to the channel."""

    NAME: ClassVar[str] = "DELIVERY_SUCCEEDED"
    attempts: int


class DeliveryFailed(_OfDispatch):
    """It was given up."""

    NAME: ClassVar[str] = "DELIVERY_FAILED"
    attempts: int
    reason: str


class RetryScheduled(_OfDispatch):
    """It failed for now and will be tried again."""

    NAME: ClassVar[str] = "RETRY_SCHEDULED"
    attempts: int
    at: Moment
    reason: str
