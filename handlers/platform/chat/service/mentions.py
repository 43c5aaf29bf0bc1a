"""Mentions: a message can name members, who get a notice even in a muted conversation.

The notice is withdrawn when its reader no longer sees that the message mentions them.
"""

from handlers.kit.errors import Invalid
from handlers.kit.transaction import Transaction
from handlers.platform.blocking import public as blocking
from handlers.platform.chat.contracts.messages import MessageMentioned
from storage.platform.chat import members as chat_members
from storage.platform.chat import removals as chat_removals
from storage.platform.chat.messages import MessageRow


def check_mentions(tx: Transaction, conversation_id: str, user_ids: list[str]) -> list[str] | None:
    """The ids of mentioned members, each once, or None; raises Invalid for other users."""
    named = list(dict.fromkeys(user_ids))
    if named and not chat_members.are_in(tx, conversation_id, named):
        raise Invalid(details={"path": "$.mentions", "expected": "ids of members"})
    return named or None


def publish_mentions(tx: Transaction, row: MessageRow, before: list[str] | None = None) -> None:
    """Publish how the mentions that users can see differ from those `before`."""
    now = [] if row.hidden else row.mentions or []
    fresh = [one for one in now if one not in (before or [])]
    gone = [one for one in before or [] if one not in now]
    _publish(tx, row, _recipients(tx, row, fresh), gone)


def withdraw_mention(tx: Transaction, row: MessageRow, user_id: str) -> None:
    """Publish that this user no longer sees the message that mentions them."""
    if user_id in (row.mentions or []):
        _publish(tx, row, [], [user_id])


def _recipients(tx: Transaction, row: MessageRow, fresh: list[str]) -> list[str]:
    """The users to notify: not the sender, and no user who blocked the sender or deleted the
    message for themselves."""
    if not fresh:
        return []
    without = {
        row.sender_id,
        *blocking.list_blockers(tx, row.sender_id or "", fresh),
        *chat_removals.list_removers(tx, row.id, fresh),
    }
    return [one for one in fresh if one not in without]


def _publish(tx: Transaction, row: MessageRow, fresh: list[str], gone: list[str]) -> None:
    if row.sender_id is None or not (fresh or gone):
        return
    tx.publish(
        MessageMentioned(
            conversation_id=row.conversation_id,
            message_id=row.id,
            sender_id=row.sender_id,
            user_ids=fresh,
            withdrawn_ids=gone,
        )
    )
