"""Signs on messages: put, taken away, shown with the message.

A reaction is told without the message's text: who came later hears of it, and never read that.
"""

import unicodedata

from handlers.kit.errors import Conflict, Invalid, NotFound
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.messages import MessageReacted, React, ReactionsView
from handlers.platform.chat.service.filtering import check_shown
from handlers.platform.chat.service.history import get_readable
from handlers.platform.chat.service.members import hold_speaker
from handlers.platform.chat.service.views import reactions_of
from storage.platform.chat import messages as chat_messages
from storage.platform.chat import reactions as chat_reactions
from storage.platform.chat.reactions import ReactionRow

DIFFERENT_MAX = 20
"""So many signs on one message."""
EMOJI_CATEGORIES = {"So", "Sk", "Mn", "Me", "Cf", "Sm", "Po", "Nd"}
KEYCAP = "\u20e3"


def react(tx: Transaction, ask: React) -> ReactionsView:
    """Put a sign on a message that one may read, or take it away.

    Raises NotFound, Conflict, and TextRefused for signs that spell a word.
    """
    check_emoji(ask.emoji)
    if ask.on:
        check_shown(tx, ask.emoji)
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
    """One sign, of however many code points; raises Invalid for words."""
    kinds = {unicodedata.category(one) for one in text}
    pictured = "So" in kinds or KEYCAP in text
    if not pictured or not kinds <= EMOJI_CATEGORIES:
        raise Invalid(details={"path": "$.emoji", "expected": "an emoji"})


def _change(tx: Transaction, ask: React) -> bool:
    """Whether something changed."""
    if not ask.on:
        return chat_reactions.delete_reaction(tx, ask.message_id, tx.actor.id, ask.emoji)
    row = ReactionRow(ask.message_id, tx.actor.id, ask.emoji, tx.now)
    return chat_reactions.insert_reaction(tx, row)
