"""Reactions to messages.

Their events omit the message's text, because members who joined later get them too.
"""

from handlers.kit.errors import Conflict, Invalid, NotFound
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.messages import MessageReacted, React, ReactionsView
from handlers.platform.chat.emoji import full_form
from handlers.platform.chat.service.filtering import require_clean
from handlers.platform.chat.service.history import get_readable
from handlers.platform.chat.service.members import hold_speaker
from handlers.platform.chat.service.views import reactions_of
from storage.platform.chat import messages as chat_messages
from storage.platform.chat import reactions as chat_reactions
from storage.platform.chat.reactions import ReactionRow

DIFFERENT_MAX = 20
"""The maximum number of different emojis on one message."""


def react(tx: Transaction, ask: React) -> ReactionsView:
    """Add or remove a reaction to a message that the actor can read.

    Raises NotFound, Blocked, Invalid, Conflict, or TextRefused for emojis that spell a word.
    """
    ask.emoji = full_form(ask.emoji) or ask.emoji
    if ask.on:
        require_clean(tx, ask.emoji)
        check_emoji(ask.emoji)
    conversation_id = get_readable(tx, ask.message_id).conversation_id
    hold_speaker(tx, conversation_id)
    row = chat_messages.lock_message(tx, ask.message_id)
    if row is None or row.deleted or row.hidden:
        raise NotFound
    if _change(tx, ask):
        shown = reactions_of(tx, [row.id])[row.id]
        if len(shown) > DIFFERENT_MAX:
            raise Conflict("This message has the maximum number of reactions.")
        tx.publish(
            MessageReacted(
                conversation_id=conversation_id,
                message_id=row.id,
                user_id=tx.actor.id,
                reactions=shown,
            )
        )
    return ReactionsView(reactions=reactions_of(tx, [row.id])[row.id])


def check_emoji(text: str) -> None:
    """Raises Invalid unless the text is one emoji."""
    if full_form(text) is None:
        raise Invalid(details={"path": "$.emoji", "expected": "an emoji"})


def _change(tx: Transaction, ask: React) -> bool:
    """Add or remove the row; returns whether it changed anything."""
    if not ask.on:
        return chat_reactions.delete_reaction(tx, ask.message_id, tx.actor.id, ask.emoji)
    row = ReactionRow(ask.message_id, tx.actor.id, ask.emoji, tx.now)
    return chat_reactions.insert_reaction(tx, row)
