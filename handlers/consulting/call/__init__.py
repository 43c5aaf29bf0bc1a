"""Calls: participants, signaling between them, and the duration of the conversation."""

from handlers.consulting.call.contracts import MovedEphemeral, SignalEphemeral
from handlers.consulting.call.rules import CallRules
from handlers.kit.domain import Domain, Subscription
from handlers.kit.kernel import Actor
from handlers.kit.rates import Rate
from handlers.kit.transaction import Transaction
from rooms import names


def rooms_of(tx: Transaction, actor: Actor) -> list[Subscription]:
    """The user's own room, for their calls."""
    return [Subscription(names.user(actor.id))]


call = Domain(
    "call",
    "/call",
    rooms_of=rooms_of,
    ephemeral_events={"signal": SignalEphemeral, "moved": MovedEphemeral},
    rates=(
        Rate("quality_reports", "reports about connections in calls", burst=3, per_s=0.2),
        Rate("video_webhooks", "webhooks of video providers", burst=600, per_s=100, of="address"),
    ),
    rules=CallRules,
)
