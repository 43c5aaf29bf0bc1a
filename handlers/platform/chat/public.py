"""Functions that other domains call inside their own transactions."""

from handlers.kit.transaction import Transaction
from handlers.platform.chat.service.blocks import check_no_block
from handlers.platform.chat.service.cards import (
    check_present,
    hold_conversation,
    refresh_cards,
    show_card,
)
from handlers.platform.chat.service.hiding import (
    find_original,
    find_original_upload,
    hide,
    hold_original,
    hold_readable,
    restore,
)
from handlers.platform.chat.service.members import begin
from handlers.platform.chat.service.previews import lock_text, show_preview
from storage.platform.chat import conversations as store
from storage.platform.chat.conversations import ConversationRow

__all__ = [
    "check_no_block",
    "check_present",
    "find_original",
    "find_original_upload",
    "hide",
    "hold_conversation",
    "hold_original",
    "hold_readable",
    "lock_text",
    "make_group",
    "refresh_cards",
    "restore",
    "show_card",
    "show_preview",
]


def make_group(tx: Transaction, name: str, member_ids: list[str]) -> str:
    """Create a group of any size, owned by its first member; returns its id."""
    row = ConversationRow(tx.new_id(), "group", name, None, member_ids[0], tx.now, None)
    store.insert_conversation(tx, row)
    begin(tx, row, sorted(set(member_ids)), member_ids[0])
    return row.id
