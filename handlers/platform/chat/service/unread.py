"""Messages that a user marks as unread, for themselves only.

The read mark stays: others still see that the user has read the messages. Reading them again, on
any device, ends it.
"""

from handlers.kit.contract import Empty
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.marks import MarkUnread, NothingToMark
from handlers.platform.chat.contracts.personal import ConversationMarkedUnread
from handlers.platform.chat.service.members import check_member
from storage.platform.chat import conversations as store
from storage.platform.chat import marks as chat_marks


def mark_unread(tx: Transaction, ask: MarkUnread) -> Empty:
    """Count the messages from a number on as unread; never fewer than before.

    Raises NotFound, or NothingToMark if no message of another user has this number or a later one.
    """
    check_member(tx, ask.conversation_id)
    newest = store.find_newest_from_others(tx, tx.actor.id, ask.conversation_id)
    first = newest if ask.seq is None else max(ask.seq, 1)
    if newest is None or first is None or first > newest:
        raise NothingToMark
    mark = chat_marks.lock_mark(tx, ask.conversation_id, tx.actor.id, "read")
    unread_from = mark.seq + 1 if mark.unread_from is None else mark.unread_from
    if first < unread_from:
        mark.unread_from = first
        chat_marks.keep_mark(tx, mark)
        tx.publish(
            ConversationMarkedUnread(
                user_id=tx.actor.id, conversation_id=ask.conversation_id, seq=first
            )
        )
    return Empty()
