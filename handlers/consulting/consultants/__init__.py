"""Consultants and the topics they offer. Not their hours (availability)."""

from handlers.consulting.consultants.contracts import consultant_room
from handlers.consulting.consultants.rules import ConsultantRules
from handlers.kit.domain import Domain, Subscription
from handlers.kit.kernel import Actor
from handlers.kit.roles import Role
from handlers.kit.transaction import Transaction
from handlers.platform.blocking import public as blocking
from rooms import names
from storage.consulting import consultants as store
from storage.events.log import find_last

NAMESPACE = "/consultants"
CONSULTANT = "consultant"
"""The role of users who became consultants."""
REPLACING = (
    "consulting.CONSULTANT_ONBOARDED",
    "consulting.CONSULTANT_PROFILE_UPDATED",
    "consulting.TOPIC_UPDATED",
)
"""Events whose data is the current state, which replaces the data of earlier events."""
REMOVING = ("consulting.TOPIC_REMOVED", "consulting.CONSULTANT_DEACTIVATED")
"""Events whose data nobody may see any more."""


def rooms_of(tx: Transaction, actor: Actor) -> list[Subscription]:
    """The consultant's own public room, so that all their devices show the same state."""
    return [Subscription(consultant_room(actor.id))]


def may_watch(tx: Transaction, actor: Actor | None, room: str) -> int | None:
    """Allow all but blocked users to watch a consultant, without a replay of removed texts.

    A stored event can contain a text that a later event replaced or removed. A replay therefore
    starts at the latest such event. A client that is further behind gets `recovered: false` and
    fetches the current state.
    """
    kind, _, consultant_id = room.partition(":")
    if kind != "consultant" or store.find_consultant(tx, consultant_id) is None:
        return None
    if actor is not None and blocking.list_blockers(tx, actor.id, [consultant_id]):
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
