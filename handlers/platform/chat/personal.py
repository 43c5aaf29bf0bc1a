"""Erases a user's messages, reactions, group memberships and card data."""

from collections.abc import Collection

from handlers.kit.personal_data import Stage, more
from handlers.kit.transaction import Transaction
from handlers.platform.chat import chat
from handlers.platform.chat.service import erasure
from storage.platform.chat import conversations as store


@chat.personal_data.erase(Stage.CONTENT)
def wipe_messages(tx: Transaction, user_id: str, after: str, limit: int) -> str | None:
    """Delete their messages for everyone."""
    return erasure.wipe_messages(tx, user_id, after, limit)


@chat.personal_data.erase(Stage.CONTENT)
def take_reactions_back(tx: Transaction, user_id: str, after: str, limit: int) -> str | None:
    """Remove their reactions."""
    return more(erasure.take_reactions_back(tx, user_id, limit), limit)


@chat.personal_data.erase(Stage.CONTENT)
def leave_groups(tx: Transaction, user_id: str, after: str, limit: int) -> str | None:
    """Leave their groups; groups that they named lose the name."""
    return more(erasure.leave_groups(tx, user_id, limit), limit)


@chat.personal_data.erase(Stage.CONTENT)
def clear_cards(tx: Transaction, user_id: str, after: str, limit: int) -> str | None:
    """Clear what they wrote from cards."""
    return erasure.clear_cards(tx, user_id, after, limit)


@chat.personal_data.on_files_dropped
def forget_pictures(tx: Transaction, user_id: str, upload_ids: list[str]) -> None:
    """Remove these pictures from their groups."""
    store.forget_pictures(tx, user_id, upload_ids)


@chat.personal_data.find_related_ids
def list_named_groups(tx: Transaction, user_id: str) -> Collection[str]:
    """The groups that they named: stored JSON about these may contain the name."""
    return erasure.clear_group_names(tx, user_id)
