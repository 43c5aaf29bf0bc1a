"""Decisions about channels: to pause one that cannot send anything, to probe it, and to resume.

Invariants:
- A pause is a row of the database, so all instances see it, and it survives restarts. One instance
  writes the row, so a change of state is logged once.
- While a channel is paused, its dispatches wait and only probes are tried: one dispatch each time,
  with a growing pause in between. A probe goes through the queue of its dispatch, so no other
  worker tries the same one meanwhile.
- Each probe sets the timer of the next one before it starts. A probe that is lost, or whose
  dispatch was erased, does not end the probes.
- Any answer about a recipient or a content shows that the channel works, and resumes it. Then the
  waiting dispatches are published in pages, oldest first.
"""

from datetime import timedelta

from handlers.kit.transaction import Transaction
from handlers.platform.send.contracts import (
    ChannelPaused,
    ChannelResumed,
    DispatchDue,
    ProbeDue,
    ReleaseGoesOn,
)
from handlers.platform.send.outcomes import Outcome
from storage.platform import send as store
from storage.platform.send import PausedChannel

PROBE_S, PROBE_MAX_S = 5.0, 60.0
"""The pause before the first probe, and the longest one. A pincode is valid for minutes, so a
channel that works again must not wait for long."""
RELEASE_PAGE = 100
LOGGER = "send"


def is_paused(tx: Transaction, channel: str) -> bool:
    return store.find_paused(tx, channel) is not None


def pause(tx: Transaction, channel: str, outcome: Outcome) -> None:
    """Pause a channel after a fault of ours; if it is paused already, record the latest fault."""
    fresh = PausedChannel(channel, tx.now, outcome.reason, outcome.reply, probes=0)
    if not store.pause_channel(tx, fresh):
        store.note_fault(tx, channel, outcome.reason, outcome.reply)
        return
    tx.publish(ChannelPaused(channel=channel, reason=outcome.reason))
    why = {"reason": outcome.reason, "reply": outcome.reply}
    tx.log("error", LOGGER, "channel_paused", channel=channel, **why)
    _probe_later(tx, channel, 0)


def resume(tx: Transaction, channel: str) -> None:
    """Resume a channel that works; does nothing unless it is paused."""
    since = store.resume_channel(tx, channel)
    if since is None:
        return
    tx.cancel_timer(_timer(channel))
    tx.publish(ChannelResumed(channel=channel))
    paused_s = round((tx.now - since).total_seconds())
    tx.log("warning", LOGGER, "channel_resumed", channel=channel, paused_s=paused_s)


def probe(tx: Transaction, channel: str) -> None:
    """Try a due dispatch of a paused channel, and set the timer of the next probe.

    The due dispatches take turns, so that one that cannot be tried does not stop the probes.
    """
    paused = store.lock_paused(tx, channel)
    if paused is None:
        return
    store.note_probe(tx, channel, paused.probes + 1)
    _probe_later(tx, channel, paused.probes + 1)
    due = store.take_next(tx, channel, tx.now)
    if due is not None:
        tx.publish(
            DispatchDue(
                dispatch_id=due.id,
                channel=channel,
                notification_id=due.notification_id,
                probe=True,
            )
        )


def probe_now(tx: Transaction) -> None:
    """Probe all paused channels without waiting for their timers."""
    for paused in store.list_paused(tx):
        tx.publish(ProbeDue(channel=paused.channel))


def release(tx: Transaction, channel: str, after: str) -> None:
    """Publish a page of the waiting dispatches of a resumed channel, with ids after `after`."""
    if is_paused(tx, channel):
        return  # it will be released when it resumes again
    page = store.list_due(tx, channel, tx.now, after, RELEASE_PAGE)
    for due in page:
        tx.publish(
            DispatchDue(dispatch_id=due.id, channel=channel, notification_id=due.notification_id)
        )
    if len(page) == RELEASE_PAGE:
        tx.publish(ReleaseGoesOn(channel=channel, after=page[-1].id))


def _probe_later(tx: Transaction, channel: str, probes: int) -> None:
    pause_s = min(PROBE_S * 2 ** min(probes, 16), PROBE_MAX_S)
    due = tx.now + timedelta(seconds=pause_s)
    tx.publish_later(ProbeDue(channel=channel), due, _timer(channel))


def _timer(channel: str) -> str:
    return f"probe:{channel}"
