"""The call itself: who is in it, signalling between them, and the minutes they talked."""

from handlers.consulting.call.contracts import SignalWhisper
from handlers.consulting.call.rules import CallRules
from handlers.kit.context import Transaction
from handlers.kit.domain import Belonging, Domain
from handlers.kit.kernel import Actor
from rooms import names


def rooms_of(tx: Transaction, actor: Actor) -> list[Belonging]:
    """One's own calls."""
    return [Belonging(names.user(actor.id))]


call = Domain(
    "call", "/call", rooms_of=rooms_of, whispers={"signal": SignalWhisper}, rules=CallRules
)
