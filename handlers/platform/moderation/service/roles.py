"""Roles that the operator gives and takes: nobody has one by default, and each act leaves a row."""

from handlers.kit.transaction import Transaction
from handlers.platform.moderation import MODERATOR
from handlers.platform.moderation.contracts import ModeratorAdded, ModeratorRemoved
from handlers.platform.moderation.service.records import note_role
from handlers.platform.profile import public as profiles
from rooms import names


def grant_role(tx: Transaction, user_id: str, role: str) -> None:
    """Give a role; who has it already keeps it. Raises NotFound."""
    if role in profiles.lock_user(tx, user_id).roles:
        return
    profiles.add_role(tx, user_id, role)
    note_role(tx, "grant", user_id, role)
    _tell(tx, ModeratorAdded, user_id, role)


def revoke_role(tx: Transaction, user_id: str, role: str) -> None:
    """Take a role away; nothing else of the person ends. Raises NotFound."""
    if role not in profiles.lock_user(tx, user_id).roles:
        return
    profiles.remove_role(tx, user_id, role)
    note_role(tx, "revoke", user_id, role)
    _tell(tx, ModeratorRemoved, user_id, role)


def _tell(
    tx: Transaction, event: type[ModeratorAdded | ModeratorRemoved], user_id: str, role: str
) -> None:
    if role == MODERATOR:
        seq = tx.take_number("/moderation", names.MODERATORS)
        tx.publish(event(user_id=user_id, seq=seq))
