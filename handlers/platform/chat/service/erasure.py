"""Somebody is erased: what they said goes, and who they were in conversations is nobody.

Each of these does a little, finds by itself what is left, and says whether (or where) to go on.
Direct conversations stay to the others, with messages that are taken back.
"""

from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.conversations import ConversationView
from handlers.platform.chat.contracts.messages import Card, MessageReacted
from handlers.platform.chat.service.groups import put_out
from handlers.platform.chat.service.messages import forget_told, say_anew, wipe
from handlers.platform.chat.service.views import reactions_of
from storage.platform.chat import conversations as store
from storage.platform.chat import messages as chat_messages
from storage.platform.chat import reactions as chat_reactions

NAMELESS: str = ConversationView.PERSONAL["id"]["name"]
PLACES_AT_ONCE = 200


def wipe_messages(tx: Transaction, user_id: str, after: str, limit: int) -> str | None:
    """Take back what they said, and forget what their apps called it.

    `after` is a conversation; gives the one after which to go on, None at the end.
    """
    places = store.list_places(tx, user_id, after, PLACES_AT_ONCE)
    rows = chat_messages.list_said_by(tx, user_id, places, limit)
    for row in rows:
        row.client_id = None
        if row.deleted:
            forget_told(tx, row)
        else:
            wipe(tx, row)
    chat_messages.forget_client_ids(tx, [row.id for row in rows])
    if len(rows) == limit:
        return after
    return places[-1] if len(places) == PLACES_AT_ONCE else None


def clear_cards(tx: Transaction, user_id: str, after: str, limit: int) -> str | None:
    """Show cards without what they wrote there, and notes of what they did without its words.

    `after` is a conversation and a message in the ones that follow it, in two lines.
    """
    place, _, message_id = after.partition("\n")
    places = store.list_places(tx, user_id, place, PLACES_AT_ONCE)
    rows = chat_messages.list_cards_in(tx, places, message_id, limit)
    for row in rows:
        shown = {"kind": row.card_kind, "id": row.card_id, "data": row.card_data}
        if not tx.kernel.personal_data.kept.forget_in(shown, Card, {user_id}):
            continue
        row.card_data = shown["data"]
        if row.kind == "card":
            say_anew(tx, row)
        else:
            chat_messages.update_message(tx, row)
    if len(rows) == limit:
        return f"{place}\n{rows[-1].id}"
    return f"{places[-1]}\n" if len(places) == PLACES_AT_ONCE else None


def take_reactions_back(tx: Transaction, user_id: str, limit: int) -> int:
    """How many signs there were to be taken back."""
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
    """How many groups there were to be left; those that they named have no name any more."""
    groups = store.list_groups(tx, user_id, limit)
    named = take_names_away(tx, user_id) if groups else []
    for group_id in groups:
        row = store.lock_conversation(tx, group_id)
        if row is not None:
            row.name = NAMELESS if row.id in named else row.name
            put_out(tx, row, user_id)
    return len(groups)


def take_names_away(tx: Transaction, user_id: str) -> list[str]:
    """The groups that they named, and that are called otherwise now."""
    named = store.list_named(tx, user_id)
    for group_id in named:
        store.rename_group(tx, group_id, NAMELESS)
    return named
