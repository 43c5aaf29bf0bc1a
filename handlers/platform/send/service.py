"""Decisions about dispatches: to accept them, to retry a failed attempt, and to give up."""

from datetime import timedelta
from typing import Any

import msgspec

from handlers.kit.contract import encode
from handlers.kit.transaction import Transaction
from handlers.platform.send.contracts import (
    DeliveryFailed,
    DeliverySucceeded,
    DispatchDue,
    RetryScheduled,
    SendNotification,
)
from handlers.platform.send.mail import MailRefused
from handlers.platform.send.rules import SendRules
from storage.events.log import wipe_event
from storage.platform import send as store
from storage.platform.send import Dispatch

BACKOFF_MAX_S = 3600.0


def accept(tx: Transaction, content: SendNotification) -> None:
    """Store the content of a message encrypted, and wipe it from its event."""
    store.insert_dispatch(
        tx,
        Dispatch(
            id=content.dispatch_id,
            channel=content.channel,
            kind=content.kind,
            notification_id=content.notification_id,
            sealed=tx.keys.seal(encode(content)),
            status="pending",
            attempts=0,
            created_at=tx.now,
            done_at=None,
        ),
    )
    if tx.cause is not None:
        wipe_event(tx, tx.cause.id)
    tx.publish(
        DispatchDue(
            dispatch_id=content.dispatch_id,
            channel=content.channel,
            notification_id=content.notification_id,
        )
    )


def get_content(tx: Transaction, dispatch_id: str) -> SendNotification | None:
    """The message of a dispatch; None once it was sent or given up."""
    dispatch = store.find_dispatch(tx, dispatch_id)
    if dispatch is None or dispatch.status != "pending":
        return None
    return msgspec.json.decode(tx.keys.open(dispatch.sealed), type=SendNotification)


def record(tx: Transaction, event: DispatchDue, refused: MailRefused | None) -> None:
    """Record the result of an attempt, and publish success, failure or a retry."""
    dispatch = store.find_dispatch(tx, event.dispatch_id)
    if dispatch is None or dispatch.status != "pending":
        return
    dispatch.attempts += 1
    if refused is None:
        _finish(tx, dispatch, "sent")
        tx.publish(DeliverySucceeded(**_about(event), attempts=dispatch.attempts))
    elif refused.final or dispatch.attempts >= tx.rules.of(SendRules).mail_tries:
        _finish(tx, dispatch, "failed")
        failed = DeliveryFailed(**_about(event), attempts=dispatch.attempts, reason=str(refused))
        tx.publish(failed)
    else:
        store.update_dispatch(tx, dispatch)
        _retry(tx, event, dispatch.attempts, str(refused))


def _finish(tx: Transaction, dispatch: Dispatch, status: str) -> None:
    """Set the final status, and delete the content."""
    dispatch.status, dispatch.sealed, dispatch.done_at = status, "", tx.now
    store.update_dispatch(tx, dispatch)


def _retry(tx: Transaction, event: DispatchDue, attempts: int, reason: str) -> None:
    pause_s = min(tx.rules.of(SendRules).mail_backoff_s * 2 ** (attempts - 1), BACKOFF_MAX_S)
    at = tx.now + timedelta(seconds=pause_s)
    tx.publish(RetryScheduled(**_about(event), attempts=attempts, at=at, reason=reason))
    tx.publish_later(DispatchDue(**_about(event)), at, f"dispatch:{event.dispatch_id}")


def _about(event: DispatchDue) -> dict[str, Any]:
    return {
        "dispatch_id": event.dispatch_id,
        "channel": event.channel,
        "notification_id": event.notification_id,
    }
