"""Roles that the operator grants and revokes. Each change adds a row to the audit log."""

from handlers.kit.transaction import Transaction
from handlers.platform.moderation import MODERATOR
from handlers.platform.moderation.contracts import MODERATORS_ROOM, ModeratorAdded, ModeratorRemoved
from handlers.platform.moderation.service.records import note_role
from handlers.platform.profile import public as profiles


def grant_role(tx: Transaction, user_id: str, role: str) -> None:
    """Grant a role; a user who has it already keeps it. Raises NotFound."""
    if role in profiles.lock_user(tx, user_id).roles:
        return
    profiles.add_role(tx, user_id, role)
    note_role(tx, "grant", user_id, role)
    _publish(tx, ModeratorAdded, user_id, role)


def revoke_role(tx: Transaction, user_id: str, role: str) -> None:
    """Revoke a role; the user's sessions stay. Raises NotFound."""
    if role not in profiles.lock_user(tx, user_id).roles:
        return
    profiles.remove_role(tx, user_id, role)
    note_role(tx, "revoke", user_id, role)
    _publish(tx, ModeratorRemoved, user_id, role)


def _publish(
    tx: Transaction, event: type[ModeratorAdded | ModeratorRemoved], user_id: str, role: str
) -> None:
    if role == MODERATOR:
        seq = tx.take_number("/moderation", MODERATORS_ROOM)
        tx.publish(event(user_id=user_id, seq=seq))
