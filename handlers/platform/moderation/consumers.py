"""What moderation makes of what is said."""

from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.messages import MessageDeleted, MessageEdited, MessageNoticed
from handlers.platform.moderation import moderation
from handlers.platform.moderation.service import cases
from storage.events.log import wipe_event


@moderation.consumer(MessageNoticed)
def open_a_case(tx: Transaction, event: MessageNoticed) -> None:
    """The filter found something in what was said; what it is goes from the event."""
    cases.notice(tx, event.message_id, event.hit)
    if tx.cause is not None:
        wipe_event(tx, tx.cause.id)


@moderation.consumer(MessageEdited)
def have_it_looked_at_again(tx: Transaction, event: MessageEdited) -> None:
    """A message says something else than what a moderator looks at."""
    cases.look_again(tx, event.message.id)


@moderation.consumer(MessageDeleted)
def close_the_case(tx: Transaction, event: MessageDeleted) -> None:
    """There is nothing left to look at."""
    cases.close_gone(tx, event.message.id)
