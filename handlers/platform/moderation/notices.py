"""What people are told about what they flagged."""

from collections.abc import Iterator

from handlers.kit.notices import Notice
from handlers.kit.transaction import Transaction
from handlers.platform.moderation import moderation
from handlers.platform.moderation.contracts import FlagAnswered


@moderation.notifies(FlagAnswered, "flag_answered")
def thank_for_the_flag(tx: Transaction, event: FlagAnswered) -> Iterator[Notice]:
    """Who flagged a message is told that it was looked at, and no more."""
    yield Notice(to=event.user_id, link="/chats")
