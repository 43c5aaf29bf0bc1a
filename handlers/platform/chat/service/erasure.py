"""Erases a user from conversations.

Each function processes one page, finds by itself what is left, and returns how to continue. The
other users keep their direct conversations, in which the erased user's messages are deleted.
"""

from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.conversations import ConversationView
from handlers.platform.chat.contracts.messages import Card, MessageReacted
from handlers.platform.chat.service.groups import remove_and_keep_an_owner
from handlers.platform.chat.service.messages import redact_history, save_edit, wipe
from handlers.platform.chat.service.views import reactions_of
from storage.platform.chat import conversations as store
from storage.platform.chat import messages as chat_messages
from storage.platform.chat import reactions as chat_reactions

CLEARED_NAME: str = ConversationView.PERSONAL["id"]["name"]
CONVERSATIONS_PER_PAGE = 200


def wipe_messages(tx: Transaction, user_id: str, after: str, limit: int) -> str | None:
    """Delete the user's messages for everyone, and their client ids.

    `after` is a conversation id. Returns the next such cursor, or None at the end.
    """
    conversation_ids = store.list_ever_joined(tx, user_id, after, CONVERSATIONS_PER_PAGE)
    rows = chat_messages.list_messages_by(tx, user_id, conversation_ids, limit)
    for row in rows:
        row.client_id = None
        if row.deleted:
            redact_history(tx, row)
        else:
            wipe(tx, row)
    chat_messages.forget_client_ids(tx, [row.id for row in rows])
    if len(rows) == limit:
        return after
    return conversation_ids[-1] if len(conversation_ids) == CONVERSATIONS_PER_PAGE else None


def clear_cards(tx: Transaction, user_id: str, after: str, limit: int) -> str | None:
    """Clear what the user wrote from cards, and from system messages about their actions.

    The cursor `after` has two lines: a conversation id, and a message id in the conversations that
    follow it. Returns the next cursor, or None at the end.
    """
    conversation_id, _, message_id = after.partition("\n")
    conversation_ids = store.list_ever_joined(tx, user_id, conversation_id, CONVERSATIONS_PER_PAGE)
    rows = chat_messages.list_cards_in(tx, conversation_ids, message_id, limit)
    for row in rows:
        shown = {"kind": row.card_kind, "id": row.card_id, "data": row.card_data}
        if not tx.kernel.personal_data.kept.forget_in(shown, Card, {user_id}):
            continue
        row.card_data = shown["data"]
        if row.kind == "card":
            save_edit(tx, row)
        else:
            chat_messages.update_message(tx, row)
    if len(rows) == limit:
        return f"{conversation_id}\n{rows[-1].id}"
    return f"{conversation_ids[-1]}\n" if len(conversation_ids) == CONVERSATIONS_PER_PAGE else None


def take_reactions_back(tx: Transaction, user_id: str, limit: int) -> int:
    """Remove a page of the user's reactions; returns how many."""
    rows = chat_reactions.list_reactions_of(tx, user_id, limit)
    for row in rows:
        message = chat_messages.lock_message(tx, row.message_id)
        chat_reactions.delete_reaction(tx, row.message_id, user_id, row.emoji)
        if message is not None:
            reacted = MessageReacted(
                conversation_id=message.conversation_id,
                message_id=message.id,
                user_id=user_id,
                reactions=reactions_of(tx, [message.id])[message.id],
            )
            tx.publish(reacted)
    return len(rows)


def leave_groups(tx: Transaction, user_id: str, limit: int) -> int:
    """Leave a page of the user's groups and clear the names they gave; returns how many groups."""
    groups = store.list_groups(tx, user_id, limit)
    named = clear_group_names(tx, user_id) if groups else []
    for group_id in groups:
        row = store.lock_conversation(tx, group_id)
        if row is not None:
            row.name = CLEARED_NAME if row.id in named else row.name
            remove_and_keep_an_owner(tx, row, user_id)
    return len(groups)


def clear_group_names(tx: Transaction, user_id: str) -> list[str]:
    """Clear the names of all groups that the user named; returns the ids of these groups."""
    named = store.list_named(tx, user_id)
    for group_id in named:
        store.rename_group(tx, group_id, CLEARED_NAME)
    return named
