"""Consultants and the topics they offer. Not their hours (availability)."""

from handlers.consulting.consultants.rules import ConsultantRules
from handlers.kit.domain import Domain, Subscription
from handlers.kit.kernel import Actor
from handlers.kit.roles import Role
from handlers.kit.transaction import Transaction
from rooms import names
from storage.consulting import consultants as store
from storage.events.log import find_last

NAMESPACE = "/consultants"
CONSULTANT = "consultant"
"""The role of whoever became a consultant."""
REPLACING = (
    "consulting.CONSULTANT_ONBOARDED",
    "consulting.CONSULTANT_PROFILE_UPDATED",
    "consulting.TOPIC_UPDATED",
)
"""Events that say in their own text what is so now."""
REMOVING = ("consulting.TOPIC_REMOVED", "consulting.CONSULTANT_DEACTIVATED")
"""Events that name what nobody is to see any more."""


def rooms_of(tx: Transaction, actor: Actor) -> list[Subscription]:
    """One's own public room, so that all devices of a consultant agree."""
    return [Subscription(names.consultant(actor.id))]


def may_watch(tx: Transaction, actor: Actor | None, room: str) -> int | None:
    """Anybody may watch a consultant who exists, but is replayed nothing that was taken out since.

    A stored event may carry a text that a later one replaced or removed. So a replay begins with
    the latest that did so; a client that is further behind is told `recovered: false` and fetches
    what is so now.
    """
    kind, _, consultant_id = room.partition(":")
    if kind != "consultant" or store.find_consultant(tx, consultant_id) is None:
        return None
    last = find_last(tx, names.stream(NAMESPACE, room), [*REPLACING, *REMOVING])
    if last is None:
        return 0
    return last.seq + 1 if last.name in REMOVING else last.seq


consultants = Domain(
    "consultants",
    NAMESPACE,
    visitors=True,
    rooms_of=rooms_of,
    may_watch=may_watch,
    roles=(Role(CONSULTANT, "domain"),),
    rules=ConsultantRules,
)
