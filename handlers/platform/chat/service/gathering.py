"""The marks of conversations with more than `MARKS_AT_ONCE_MAX` members, published together.

A message to a thousand members causes two thousand marks. An event for each of them would cost two
million frames, and would push the messages out of the replay. So a mark is only stored, and the
first one sets a timer. When it is due, one event publishes all marks, in a room of its own, to the
devices that watch it.

Invariants:
- No mark is missed. Each transaction that stores a mark sets the timer or joins it, which keeps it
  from firing before the commit. So the event that the timer causes contains the mark.
- The timer is a stored row, so it survives the instance that set it, and any instance serves it.
- Events and changes of members take the same lock, so that the events do not contain the marks of
  users who have left.
"""

from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.marks import (
    Marks,
    MarksDue,
    MarksGathered,
    MarksView,
    MessageDelivered,
    MessageRead,
)
from handlers.platform.chat.service.members import check_member
from handlers.platform.chat.service.views import MARKS_AT_ONCE_MAX, marks_view
from storage.platform.chat import conversations as store
from storage.platform.chat import members as chat_members


def are_gathered(tx: Transaction, conversation_id: str) -> bool:
    """Whether the marks of a conversation are published together."""
    return chat_members.has_more_than(tx, conversation_id, MARKS_AT_ONCE_MAX)


def gather(tx: Transaction, conversation_id: str) -> None:
    """Publish the marks of a conversation soon, with those that this transaction stores."""
    due = tx.now + tx.rules.span("gathered_marks_every_s")
    event = MarksDue(conversation_id=conversation_id)
    tx.publish_once_later(event, due, f"marks:{conversation_id}")


def publish_gathered(tx: Transaction, event: MarksDue) -> None:
    """Publish the marks of a conversation, one by one if it has become small meanwhile."""
    store.lock_conversation(tx, event.conversation_id)
    now = marks_view(tx, event.conversation_id)
    if are_gathered(tx, event.conversation_id):
        tx.publish(
            MarksGathered(
                conversation_id=now.conversation_id,
                read=now.read,
                delivered=now.delivered,
                message_seq=now.message_seq,
            )
        )
        return
    _publish_each(tx, MessageRead, now.conversation_id, now.read)
    _publish_each(tx, MessageDelivered, now.conversation_id, now.delivered)


def get_watched(tx: Transaction, conversation_id: str) -> MarksView:
    """Raises NotFound."""
    check_member(tx, conversation_id)
    return marks_view(tx, conversation_id)


def _publish_each(
    tx: Transaction,
    event: type[MessageRead] | type[MessageDelivered],
    conversation_id: str,
    marks: Marks,
) -> None:
    assert isinstance(marks, dict), "a small conversation has a mark for each member"
    for user_id, seq in marks.items():
        tx.publish(event(conversation_id=conversation_id, user_id=user_id, seq=seq))
