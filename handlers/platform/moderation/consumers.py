"""Consumers of chat events: they open, reset and close cases."""

from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.messages import MessageDeleted, MessageEdited, MessageNoticed
from handlers.platform.moderation import moderation
from handlers.platform.moderation.service import cases
from storage.events.log import wipe_event


@moderation.consumer(MessageNoticed)
def open_a_case(tx: Transaction, event: MessageNoticed) -> None:
    """Open a case for a match of the filter, and wipe the event, which quotes the match."""
    cases.record_hit(tx, event.message_id, event.hit)
    if tx.cause is not None:
        wipe_event(tx, tx.cause.id)


@moderation.consumer(MessageEdited)
def have_it_looked_at_again(tx: Transaction, event: MessageEdited) -> None:
    """Require a new review of a message that was edited."""
    cases.require_new_review(tx, event.message.id)


@moderation.consumer(MessageDeleted)
def close_the_case(tx: Transaction, event: MessageDeleted) -> None:
    """Close the case of a deleted message."""
    cases.close_deleted(tx, event.message.id)
