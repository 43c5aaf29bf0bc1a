"""Cards in conversations, of kinds that other domains declare (`handlers/kit/cards.py`).

Whoever shows a thing holds it until the commit: it is new, or its row is locked. So a change of it
comes before the view that the card copies, or finds the card and refreshes it; and one transaction
at a time counts its cards.
"""

import msgspec

from handlers.kit.cards import CardKind, V
from handlers.kit.errors import NotFound, TooMany
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.messages import MessageView
from handlers.platform.chat.service.members import hold_speaker
from handlers.platform.chat.service.messages import new_message, say, say_anew
from storage.platform.chat import conversations as store
from storage.platform.chat import members as chat_members
from storage.platform.chat import messages as chat_messages

CARDS_OF_ONE_MAX = 100
"""So many messages show one thing: each change refreshes all of them in one transaction."""


def hold_conversation(tx: Transaction, conversation_id: str) -> None:
    """Hold a conversation until the commit, for something that the actor will show in it.

    Raises NotFound when they are not in it, and Blocked.
    """
    store.lock_conversation(tx, conversation_id)
    hold_speaker(tx, conversation_id)


def check_present(tx: Transaction, conversation_id: str, user_id: str) -> None:
    """Raises NotFound unless this person is in the conversation."""
    if chat_members.find_membership(tx, conversation_id, user_id) is None:
        raise NotFound


def show_card(
    tx: Transaction, conversation_id: str, kind: CardKind[V], thing: V, hit: str = ""
) -> MessageView:
    """Show a thing in a conversation, as a message of the actor's.

    `hit` is what the filter found in its texts. A domain that locks rows of its own calls
    `hold_conversation` before. Raises NotFound, Blocked, and TooMany for a thing that is shown
    too often already.
    """
    hold_conversation(tx, conversation_id)
    if chat_messages.count_cards(tx, kind.name, thing.id) >= CARDS_OF_ONE_MAX:
        raise TooMany
    row = new_message(tx, conversation_id, None, "card", "")
    row.card_kind, row.card_id, row.card_data = kind.name, thing.id, msgspec.to_builtins(thing)
    return say(tx, row, hit)


def refresh_cards(tx: Transaction, kind: CardKind[V], thing: V) -> None:
    """Show a thing as it is now wherever it is shown; an older version changes nothing."""
    data = msgspec.to_builtins(thing)
    for row in chat_messages.list_cards(tx, kind.name, thing.id, CARDS_OF_ONE_MAX):
        if row.deleted or row.card_data.get("version", 0) >= thing.version:
            continue
        row.card_data = data
        say_anew(tx, row)
