"""Events of the delivery of messages."""

from typing import ClassVar

from handlers.kit.contract import Event, Moment


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
    """It is time to send a dispatch, or to retry it."""

    NAME: ClassVar[str] = "DISPATCH_DUE"


class DeliverySucceeded(_OfDispatch):
    """A dispatch was handed over to its channel."""

    NAME: ClassVar[str] = "DELIVERY_SUCCEEDED"
    attempts: int


class DeliveryFailed(_OfDispatch):
    """A dispatch failed permanently, or after its last attempt."""

    NAME: ClassVar[str] = "DELIVERY_FAILED"
    attempts: int
    reason: str


class RetryScheduled(_OfDispatch):
    """A dispatch failed and will be retried."""

    NAME: ClassVar[str] = "RETRY_SCHEDULED"
    attempts: int
    at: Moment
    reason: str
