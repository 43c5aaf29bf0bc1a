"""Delivers the notices that domains declare, and records whether their mails were sent."""

from typing import Any

from handlers.kit.life import SessionEnded
from handlers.kit.notices import NoticeRule, Withdrawal
from handlers.kit.transaction import Transaction
from handlers.platform.notifications import devices, notifications
from handlers.platform.notifications.service import deliver, record_mail_status, withdraw
from handlers.platform.send.contracts import (
    DeliveryFailed,
    DeliverySkipped,
    DeliverySucceeded,
)


@notifications.tells
def tell_people(tx: Transaction, rule: NoticeRule, event: Any) -> None:
    """Deliver or withdraw the notices that a rule finds for this event."""
    for found in rule.find(tx, event):
        if isinstance(found, Withdrawal):
            withdraw(tx, rule.kind, found)
        else:
            deliver(tx, rule, found)


@notifications.consumer(SessionEnded)
def forget_the_device(tx: Transaction, event: SessionEnded) -> None:
    """Stop push notifications to a device whose session ended."""
    devices.forget_session(tx, event.session_id)


@notifications.consumer(DeliverySucceeded)
def note_the_delivery(tx: Transaction, event: DeliverySucceeded) -> None:
    """Record that a notification's mail was sent."""
    record_mail_status(tx, event.notification_id, "sent")


@notifications.consumer(DeliveryFailed)
def note_the_failure(tx: Transaction, event: DeliveryFailed) -> None:
    """Record that a notification's mail failed for good."""
    record_mail_status(tx, event.notification_id, "failed")


@notifications.consumer(DeliverySkipped)
def note_the_skip(tx: Transaction, event: DeliverySkipped) -> None:
    """Record that a notification's mail was skipped, because it came too late."""
    record_mail_status(tx, event.notification_id, "skipped")
