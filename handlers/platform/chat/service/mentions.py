"""Mentions: a message can name members, who get a notice even in a muted conversation."""

from handlers.kit.errors import Invalid
from handlers.kit.transaction import Transaction
from handlers.platform.blocking import public as blocking
from handlers.platform.chat.contracts.messages import MessageMentioned
from storage.platform.chat import members as chat_members
from storage.platform.chat.messages import MessageRow


def check_mentions(tx: Transaction, conversation_id: str, user_ids: list[str]) -> list[str] | None:
    """The ids of mentioned members, each once, or None; raises Invalid for other users."""
    named = list(dict.fromkeys(user_ids))
    if named and not chat_members.are_in(tx, conversation_id, named):
        raise Invalid(details={"path": "$.mentions", "expected": "ids of members"})
    return named or None


def publish_mentions(tx: Transaction, row: MessageRow, before: list[str] | None = None) -> None:
    """Publish new mentions, compared with `before`; users who blocked the sender get none."""
    if not row.mentions or row.sender_id is None:
        return
    known = {row.sender_id, *(before or [])}
    if not (fresh := [one for one in row.mentions if one not in known]):
        return
    blockers = set(blocking.list_blockers(tx, row.sender_id, fresh))
    if recipients := [one for one in fresh if one not in blockers]:
        tx.publish(
            MessageMentioned(
                conversation_id=row.conversation_id,
                message_id=row.id,
                sender_id=row.sender_id,
                user_ids=recipients,
            )
        )
