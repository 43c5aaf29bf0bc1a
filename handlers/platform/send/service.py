"""Decisions about dispatches: to accept them, to record a try, to retry, to skip and to give up.

Invariants:
- A waiting dispatch has a timer for its next try or its expiry, or an event `DISPATCH_DUE` on its
  way, or it is due and its channel is paused: then the release of the channel publishes the event.
- All tries of a dispatch go through one queue, so they never overlap, on any number of instances.
- A fault of ours never ends a dispatch, and does not count against the time in which it is retried.
- Content is deleted with the last try. It is kept until the record is deleted if a user's mail
  failed and an operator may retry it, which excludes secrets.
"""

import random
from datetime import timedelta
from typing import Any

import msgspec

from handlers.kit.contract import encode
from handlers.kit.transaction import Transaction
from handlers.platform.profile import public as profiles
from handlers.platform.send import channels
from handlers.platform.send.channels import LOGGER
from handlers.platform.send.contracts import (
    DeliveryFailed,
    DeliverySkipped,
    DeliverySucceeded,
    DispatchDue,
    RetryScheduled,
    SendNotification,
    State,
)
from handlers.platform.send.metrics import DISPATCHES
from handlers.platform.send.outcomes import Outcome
from handlers.platform.send.rules import SendRules
from storage.events.log import wipe_event
from storage.platform import send as store
from storage.platform.send import WAITING, Dispatch

BACKOFF_MAX_S = 4 * 3_600.0
JITTER = 0.2
"""Each pause is longer by a random part of this, so that mails do not come back all at once."""
RETRIABLE: tuple[State, ...] = ("given_up", "refused")


def accept(tx: Transaction, content: SendNotification) -> None:
    """Store the content of a message encrypted, and wipe it from its event.

    A message that must not be sent is only recorded.
    """
    user_id = content.user_id or _owner_of(tx, content.to)
    cause_id = tx.cause.id if tx.cause is not None else None
    dispatch = Dispatch(
        id=content.dispatch_id,
        channel=content.channel,
        kind=content.kind,
        notification_id=content.notification_id,
        user_id=user_id,
        about_id=content.about_id,
        cause_id=content.cause_id or cause_id,
        to_hash=hash_of(tx, content.to),
        sealed_to=tx.keys.seal(content.to),
        sealed=tx.keys.seal(encode(content)),
        secret=content.secret,
        status=WAITING,
        attempts=0,
        reason=None,
        reply=None,
        created_at=tx.now,
        next_at=tx.now,
        tried_at=None,
        deferred_since=None,
        expires_at=content.expires_at,
        done_at=None,
    )
    store.insert_dispatch(tx, dispatch)
    if cause_id is not None:
        wipe_event(tx, cause_id)
    if content.skipped_for:
        _skip(tx, dispatch, content.skipped_for)
    else:
        tx.publish(DispatchDue(**_about(dispatch)))


def find_content(tx: Transaction, event: DispatchDue) -> SendNotification | None:
    """The message of a dispatch that may be tried now; None if not (see `set_aside`)."""
    dispatch = store.find_dispatch(tx, event.dispatch_id)
    if dispatch is None or not _may_try(tx, dispatch, event):
        return None
    return msgspec.json.decode(tx.keys.open(dispatch.sealed), type=SendNotification)


def set_aside(tx: Transaction, event: DispatchDue) -> None:
    """Skip a dispatch whose content is of no use, or let it wait for its time or its channel."""
    dispatch = store.lock_dispatch(tx, event.dispatch_id)
    if dispatch is None or dispatch.status != WAITING:
        return
    if fault := _uselessness(tx, dispatch):
        _skip(tx, dispatch, fault)
    elif _may_try(tx, dispatch, event):  # the channel was resumed meanwhile
        tx.publish(event)
    else:
        _hold(tx, dispatch)


def record(tx: Transaction, event: DispatchDue, outcome: Outcome) -> None:
    """Record the outcome of a try, and publish success, failure or a retry."""
    dispatch = store.lock_dispatch(tx, event.dispatch_id)
    if dispatch is None or dispatch.status != WAITING:
        return
    dispatch.attempts += 1
    dispatch.tried_at = tx.now
    dispatch.reason, dispatch.reply = outcome.reason or None, outcome.reply or None
    if outcome.verdict == "fault" or (outcome.verdict == "suspicion" and _seems_ours(tx, dispatch)):
        _wait_for_channel(tx, dispatch, outcome)
        return
    if outcome.verdict != "suspicion":
        channels.resume(tx, dispatch.channel)
    if outcome.verdict == "sent":
        _finish(tx, dispatch, "sent")
        tx.publish(DeliverySucceeded(**_about(dispatch), attempts=dispatch.attempts))
    elif outcome.verdict == "refused":
        _fail(tx, dispatch, "refused")
    else:
        _defer(tx, dispatch)


def hash_of(tx: Transaction, address: str) -> str:
    """The keyed hash by which dispatches to an address are found."""
    return tx.keys.fingerprint("dispatch to", profiles.normal_email(address))


def wait_again(tx: Transaction, dispatch: Dispatch) -> None:
    """Try a locked dispatch again at once, as if it were new; for an operator."""
    dispatch.status, dispatch.done_at, dispatch.deferred_since = WAITING, None, None
    dispatch.next_at = tx.now
    store.update_dispatch(tx, dispatch)
    tx.publish(DispatchDue(**_about(dispatch)))


def _owner_of(tx: Transaction, address: str) -> str | None:
    user = profiles.find_user_by_email(tx, address)
    return user.id if user else None


def _may_try(tx: Transaction, dispatch: Dispatch, event: DispatchDue) -> bool:
    if dispatch.status != WAITING or _uselessness(tx, dispatch):
        return False
    if not _is_due(tx, dispatch):
        return False
    return event.probe or not channels.is_paused(tx, dispatch.channel)


def _is_due(tx: Transaction, dispatch: Dispatch) -> bool:
    return dispatch.next_at is None or dispatch.next_at <= tx.now


def _uselessness(tx: Transaction, dispatch: Dispatch) -> str | None:
    """The reason for which a waiting dispatch must not be sent; None if it may be."""
    if not dispatch.sealed:
        return "erased"
    if dispatch.expires_at is not None and dispatch.expires_at <= tx.now:
        return "expired"
    return None


def _seems_ours(tx: Transaction, dispatch: Dispatch) -> bool:
    """Whether a suspicion is about us: no other dispatch got through since this one exists.

    So a single message that a policy refuses pauses its channel once, until another one is sent.
    """
    if channels.is_paused(tx, dispatch.channel):
        return True
    return not store.was_sent_since(tx, dispatch.channel, dispatch.created_at)


def _wait_for_channel(tx: Transaction, dispatch: Dispatch, outcome: Outcome) -> None:
    """Pause the channel. A suspicious dispatch waits for a while, so that the next probe is
    another one."""
    if outcome.verdict == "suspicion":
        dispatch.next_at = tx.now + _pause(tx, timedelta(0))
    channels.pause(tx, dispatch.channel, outcome)
    _retry(tx, dispatch, "fault")


def _defer(tx: Transaction, dispatch: Dispatch) -> None:
    """Retry later, after pauses that double with the time since the first deferral; in the end,
    give up."""
    since = dispatch.deferred_since = dispatch.deferred_since or tx.now
    end = since + tx.rules.span("mail_retried_s")
    if tx.now >= end:
        _fail(tx, dispatch, "given_up")
        return
    dispatch.next_at = min(tx.now + _pause(tx, tx.now - since), end)
    _retry(tx, dispatch, "deferred")


def _retry(tx: Transaction, dispatch: Dispatch, outcome: str) -> None:
    """Let a dispatch that failed wait for its next try."""
    _wait(tx, dispatch)
    reason = dispatch.reason or ""
    tx.count(DISPATCHES, dispatch.channel, outcome, reason)
    at = dispatch.next_at or tx.now
    about, attempts = _about(dispatch), dispatch.attempts
    tx.publish(RetryScheduled(**about, attempts=attempts, at=at, reason=reason))


def _pause(tx: Transaction, waited: timedelta) -> timedelta:
    """The pause after a try, at least as long as the time since the first one."""
    first_s = tx.rules.of(SendRules).mail_backoff_s
    pause_s = min(max(waited.total_seconds(), first_s), BACKOFF_MAX_S)
    return timedelta(seconds=pause_s * random.uniform(1, 1 + JITTER))  # noqa: S311 - no secret


def _hold(tx: Transaction, dispatch: Dispatch) -> None:
    """Let a dispatch wait. If it waits for its channel, its recipient gets the whole time again."""
    if _is_due(tx, dispatch):
        dispatch.deferred_since = None
    _wait(tx, dispatch)


def _wait(tx: Transaction, dispatch: Dispatch) -> None:
    """Save a dispatch that waits, and set its timer: for its next try, or for its expiry if it is
    due now and waits for its channel.

    The first wait sets the expiry of a content that does not become useless by itself.
    """
    if dispatch.expires_at is None:
        dispatch.expires_at = tx.now + tx.rules.span("mails_kept_days")
    store.update_dispatch(tx, dispatch)
    moments = [dispatch.next_at, dispatch.expires_at]
    future = [one for one in moments if one is not None and one > tx.now]
    if future:
        tx.publish_later(DispatchDue(**_about(dispatch)), min(future), _timer(dispatch))


def _skip(tx: Transaction, dispatch: Dispatch, reason: str) -> None:
    dispatch.reason = reason
    _finish(tx, dispatch, "skipped")
    _warn(tx, dispatch, "dispatch_skipped")
    tx.publish(DeliverySkipped(**_about(dispatch), attempts=dispatch.attempts, reason=reason))


def _fail(tx: Transaction, dispatch: Dispatch, state: State) -> None:
    _finish(tx, dispatch, state)
    _warn(tx, dispatch, f"dispatch_{state}")
    tx.publish(
        DeliveryFailed(**_about(dispatch), attempts=dispatch.attempts, reason=dispatch.reason or "")
    )


def _finish(tx: Transaction, dispatch: Dispatch, state: State) -> None:
    """Set a final state, and delete what is not needed any more.

    The address of somebody without an account is deleted too; its keyed hash stays.
    """
    dispatch.status, dispatch.done_at, dispatch.next_at = state, tx.now, None
    if state not in RETRIABLE or dispatch.secret or dispatch.user_id is None:
        dispatch.sealed = ""
    if dispatch.user_id is None:
        dispatch.sealed_to = ""
    store.update_dispatch(tx, dispatch)
    tx.cancel_timer(_timer(dispatch))
    tx.count(DISPATCHES, dispatch.channel, state, dispatch.reason or "")


def _warn(tx: Transaction, dispatch: Dispatch, event: str) -> None:
    """Log the end of a dispatch that was not sent."""
    about = {"dispatch_id": dispatch.id, "channel": dispatch.channel, "kind": dispatch.kind}
    why = {"reason": dispatch.reason, "reply": dispatch.reply, "attempts": dispatch.attempts}
    tx.log("warning", LOGGER, event, **about, **why)


def _timer(dispatch: Dispatch) -> str:
    return f"dispatch:{dispatch.id}"


def _about(dispatch: Dispatch) -> dict[str, Any]:
    return {
        "dispatch_id": dispatch.id,
        "channel": dispatch.channel,
        "notification_id": dispatch.notification_id,
    }
