"""Cards in conversations, of kinds that other domains declare (`handlers/kit/cards.py`).

Invariant: a transaction that shows an object either creates the object or holds a lock on its row
until the commit. So a concurrent change commits before the card copies the object, or it finds the
card and refreshes it. Only one transaction at a time counts the cards of an object.
"""

import msgspec

from handlers.kit.cards import CardKind, V
from handlers.kit.errors import NotFound, TooMany
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.messages import MessageView
from handlers.platform.chat.service.members import hold_speaker
from handlers.platform.chat.service.messages import new_message, post, save_edit
from storage.platform.chat import conversations as store
from storage.platform.chat import members as chat_members
from storage.platform.chat import messages as chat_messages

CARDS_OF_ONE_MAX = 100
"""The messages that show one object: each change refreshes all of them in one transaction."""


def hold_conversation(tx: Transaction, conversation_id: str) -> None:
    """Lock a conversation until the commit, before the actor shows a card in it.

    Raises NotFound when the actor is not a member, or Blocked.
    """
    store.lock_conversation(tx, conversation_id)
    hold_speaker(tx, conversation_id)


def check_present(tx: Transaction, conversation_id: str, user_id: str) -> None:
    """Raises NotFound unless this user is a member of the conversation."""
    if chat_members.find_from_seq(tx, conversation_id, user_id) is None:
        raise NotFound


def show_card(
    tx: Transaction, conversation_id: str, kind: CardKind[V], thing: V, hit: str = ""
) -> MessageView:
    """Post a message of the actor that shows an object.

    `hit` is the filter's match in the object's texts. A domain that locks rows of its own calls
    `hold_conversation` first. Raises NotFound, Blocked, or TooMany when `CARDS_OF_ONE_MAX` messages
    show the object already.
    """
    hold_conversation(tx, conversation_id)
    if chat_messages.count_cards(tx, kind.name, thing.id) >= CARDS_OF_ONE_MAX:
        raise TooMany
    row = new_message(tx, conversation_id, None, "card", "")
    row.card_kind, row.card_id, row.card_data = kind.name, thing.id, msgspec.to_builtins(thing)
    return post(tx, row, hit)


def refresh_cards(tx: Transaction, kind: CardKind[V], thing: V) -> None:
    """Update all cards of an object to its current state; an older version changes nothing."""
    data = msgspec.to_builtins(thing)
    for row in chat_messages.list_cards(tx, kind.name, thing.id, CARDS_OF_ONE_MAX):
        if row.deleted or row.card_data.get("version", 0) >= thing.version:
            continue
        row.card_data = data
        save_edit(tx, row)
