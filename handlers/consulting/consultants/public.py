"""Functions on consultants that other domains call inside their own transactions."""

import msgspec

from handlers.consulting.consultants import service
from handlers.consulting.consultants.contracts import TopicView
from handlers.kit.transaction import Transaction
from storage.consulting import consultants as store

__all__ = [
    "exists",
    "get_time_zone",
    "is_active",
    "lock_consultant",
    "lock_offered_topic",
    "show_available_now",
    "shows_available_now",
]


def is_active(tx: Transaction, consultant_id: str) -> bool:
    """Whether this consultant can be booked."""
    row = store.find_consultant(tx, consultant_id)
    return row is not None and row.status == "active"


def lock_offered_topic(tx: Transaction, topic_id: str, consultant_id: str) -> TopicView | None:
    """The topic, locked until the commit; None if this consultant does not offer it."""
    consultant = store.share_consultant(tx, consultant_id)
    topic = store.find_topic(tx, topic_id)
    if consultant is None or consultant.status != "active":
        return None
    if topic is None or not topic.active or topic.consultant_id != consultant_id:
        return None
    return service.topic_view(topic)


def get_time_zone(tx: Transaction, consultant_id: str) -> str:
    """The consultant's time zone; raises NotFound for a user who is not a consultant."""
    return service.get_row(tx, consultant_id).time_zone


def lock_consultant(tx: Transaction, consultant_id: str) -> bool:
    """Lock a consultant until the commit; returns whether they can be booked."""
    row = store.lock_consultant(tx, consultant_id)
    return row is not None and row.status == "active"


def shows_available_now(tx: Transaction, consultant_id: str) -> bool:
    """Whether the profile shows the consultant as available now; stopping resets it."""
    row = store.find_consultant(tx, consultant_id)
    return row is not None and row.available_now


def show_available_now(tx: Transaction, consultant_id: str, available: bool) -> None:
    """Show on the profile whether the consultant takes calls now."""
    row = store.lock_consultant(tx, consultant_id)
    if row is not None and row.available_now != available:
        service.save(tx, msgspec.structs.replace(row, available_now=available))


def exists(tx: Transaction, consultant_id: str) -> bool:
    """Whether this user is or was a consultant."""
    return store.find_consultant(tx, consultant_id) is not None
