"""Notices to users about messages that they flagged."""

from collections.abc import Iterator

from handlers.kit.notices import Notice
from handlers.kit.transaction import Transaction
from handlers.platform.moderation import moderation
from handlers.platform.moderation.contracts import FlagAnswered


@moderation.notifies(FlagAnswered, "flag_answered")
def thank_for_flag(tx: Transaction, event: FlagAnswered) -> Iterator[Notice]:
    """A moderator reviewed a flagged message. The notice does not reveal the decision."""
    yield Notice(to=event.user_id, link="/chats")
