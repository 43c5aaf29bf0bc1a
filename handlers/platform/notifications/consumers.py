"""Delivers declared notices, and records how their emails went."""

from typing import Any

from handlers.kit.life import SessionEnded
from handlers.kit.notices import NoticeRule
from handlers.kit.transaction import Transaction
from handlers.platform.notifications import devices, notifications
from handlers.platform.notifications.service import note_mail, tell
from handlers.platform.send.contracts import DeliveryFailed, DeliverySucceeded


@notifications.tells
def tell_people(tx: Transaction, rule: NoticeRule, event: Any) -> None:
    """Deliver the notices that a rule finds for this event."""
    for notice in rule.find(tx, event):
        tell(tx, rule, notice)


@notifications.consumer(SessionEnded)
def forget_the_device(tx: Transaction, event: SessionEnded) -> None:
    """Who signed out gets no more pushes there."""
    devices.forget_session(tx, event.session_id)


@notifications.consumer(DeliverySucceeded)
def note_the_delivery(tx: Transaction, event: DeliverySucceeded) -> None:
    """A notification's mail went out."""
    note_mail(tx, event.notification_id, "sent")


@notifications.consumer(DeliveryFailed)
def note_the_failure(tx: Transaction, event: DeliveryFailed) -> None:
    """A notification's mail was given up."""
    note_mail(tx, event.notification_id, "failed")
