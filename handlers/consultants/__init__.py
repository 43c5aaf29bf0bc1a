"""Who offers what: consultants and their topics. Never when (availability)."""

from handlers.kit.command import Belonging, Domain
from handlers.kit.context import Transaction
from handlers.kit.kernel import Actor
from rooms import names
from storage import consultants as store

NAMESPACE = "/consultants"


def rooms_of(tx: Transaction, actor: Actor) -> list[Belonging]:
    """One's own public room, so that all devices of a consultant agree."""
    return [Belonging(names.consultant(actor.id))]


def may_watch(tx: Transaction, actor: Actor | None, room: str) -> int | None:
    """Anybody may watch a consultant who exists, but hears nothing again that was told before.

    Stored events carry texts that the consultant may have removed since. So nothing is replayed:
    a client that missed an event is told `recovered: false` and fetches what is so now.
    """
    kind, _, consultant_id = room.partition(":")
    there = kind == "consultant" and store.find_consultant(tx, consultant_id) is not None
    return tx.head(NAMESPACE, room) + 1 if there else None


consultants = Domain(
    "consultants", NAMESPACE, visitors=True, rooms_of=rooms_of, may_watch=may_watch
)
