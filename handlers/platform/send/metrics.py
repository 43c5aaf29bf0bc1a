"""The metrics of dispatches and channels."""

from collections.abc import Mapping

from handlers.kit.measures import Labels
from handlers.kit.transaction import Transaction
from handlers.platform.send import send
from storage.platform import send as store

DISPATCHES = send.counter(
    "dispatches",
    "Tries and ends of dispatches, by channel, outcome and reason. The outcomes sent, refused, "
    "given_up and skipped are final; deferred and fault are tries that failed.",
    *("channel", "outcome", "reason"),
)


@send.gauge("dispatches_waiting", "Dispatches that are not sent yet, by channel.", "channel")
def count_waiting(tx: Transaction) -> Mapping[Labels, float]:
    """All waiting dispatches, due or not."""
    counts = {one.channel: float(one.dispatches) for one in store.list_waiting(tx)}
    return _of_all(tx, counts)


@send.gauge(
    "dispatches_oldest_waiting_seconds",
    "Age of the oldest waiting dispatch, by channel.",
    "channel",
)
def get_oldest_age(tx: Transaction) -> Mapping[Labels, float]:
    """The age in seconds; 0 if none waits."""
    waiting = store.list_waiting(tx)
    ages = {one.channel: (tx.now - one.oldest_at).total_seconds() for one in waiting}
    return _of_all(tx, ages)


@send.gauge("channel_paused", "Whether a channel cannot send anything (1), by channel.", "channel")
def get_paused(tx: Transaction) -> Mapping[Labels, float]:
    """1 while a fault of ours pauses the channel, otherwise 0."""
    return _of_all(tx, {one.channel: 1.0 for one in store.list_paused(tx)})


def _of_all(tx: Transaction, found: Mapping[str, float]) -> Mapping[Labels, float]:
    """These values, and 0 for the other channels, so that no series disappears."""
    none = dict.fromkeys(tx.kernel.channels, 0.0)
    return {(channel,): value for channel, value in {**none, **found}.items()}
