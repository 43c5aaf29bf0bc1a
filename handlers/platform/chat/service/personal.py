"""A user's private state of conversations and messages, published only to their own devices."""

from collections.abc import Callable

from msgspec import structs

from handlers.kit.contract import Empty
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.personal import (
    Archive,
    ConversationAdjusted,
    DeleteForMe,
    KeepDraft,
    MessageRemoved,
    Mute,
    OwnStateView,
)
from handlers.platform.chat.service.history import get_accessible
from handlers.platform.chat.service.members import hold_member
from handlers.platform.chat.service.mentions import withdraw_mention
from storage.platform.chat import removals as chat_removals
from storage.platform.chat import states as chat_states
from storage.platform.chat.removals import RemovalRow
from storage.platform.chat.states import StateRow


def mute(tx: Transaction, ask: Mute) -> OwnStateView:
    return _adjust(tx, ask.conversation_id, lambda row: structs.replace(row, muted_until=ask.until))


def archive(tx: Transaction, ask: Archive) -> OwnStateView:
    return _adjust(tx, ask.conversation_id, lambda row: structs.replace(row, archived=ask.on))


def keep_draft(tx: Transaction, ask: KeepDraft) -> OwnStateView:
    return _adjust(tx, ask.conversation_id, lambda row: structs.replace(row, draft=ask.text))


def delete_for_me(tx: Transaction, ask: DeleteForMe) -> Empty:
    """Delete a readable message from the actor's own history; a repetition changes nothing."""
    message = get_accessible(tx, ask.message_id)
    if chat_removals.insert_removal(tx, RemovalRow(tx.actor.id, message.id)):
        removed = MessageRemoved(
            user_id=tx.actor.id, conversation_id=message.conversation_id, message_id=message.id
        )
        tx.publish(removed)
        withdraw_mention(tx, message, tx.actor.id)
    return Empty()


def clear_sent_draft(tx: Transaction, conversation_id: str, text: str) -> None:
    """Clear the actor's draft if the sent `text` begins with it: the draft may be a little older.

    Any other draft is a text that is still being written. The caller holds the membership.
    """
    row = _state_of(tx, conversation_id)
    if row.draft and text.strip().startswith(row.draft.strip()):
        _save(tx, row, structs.replace(row, draft=""))


def state_view(row: StateRow) -> OwnStateView:
    fields = structs.asdict(row)
    del fields["user_id"]
    return OwnStateView(**fields)


def _adjust(
    tx: Transaction, conversation_id: str, change: Callable[[StateRow], StateRow]
) -> OwnStateView:
    """Change the actor's state of a conversation, under the lock of their membership."""
    hold_member(tx, conversation_id)
    before = _state_of(tx, conversation_id)
    return _save(tx, before, change(before))


def _state_of(tx: Transaction, conversation_id: str) -> StateRow:
    known = chat_states.list_states(tx, tx.actor.id, [conversation_id])
    return known.get(conversation_id) or StateRow(conversation_id, tx.actor.id)


def _save(tx: Transaction, before: StateRow, row: StateRow) -> OwnStateView:
    """Save and publish a state that differs from `before`."""
    view = state_view(row)
    if row != before:
        chat_states.keep_state(tx, row)
        tx.publish(ConversationAdjusted(user_id=tx.actor.id, state=view))
    return view
