"""The marks of conversations with more than `MARKS_AT_ONCE_MAX` members, published together.

A message to a thousand members causes two thousand marks. An event for each of them would cost two
million frames, and would push the messages out of the replay. So a mark is only stored, and the
first one sets a timer. When it is due, one event publishes all marks, in a room of its own, to the
devices that watch it.

Invariants:
- No mark is missed. A transaction that stores a mark sets the timer, or finds it set, under a
  shared lock on the conversation. The publishing transaction first removes the timer and then
  excludes the shared locks. So it reads the marks of all that found the timer set.
- The timer is a stored row, so it survives the instance that set it, and any instance serves it.
- A conversation that has become small has published its marks with the event of that change.
"""

from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.marks import MarksDue, MarksGathered, MarksView
from handlers.platform.chat.service.members import check_member
from handlers.platform.chat.service.views import MARKS_AT_ONCE_MAX, marks_view
from storage.platform.chat import conversations as store
from storage.platform.chat import members as chat_members


def are_gathered(tx: Transaction, conversation_id: str) -> bool:
    """Whether the marks of a conversation are published together."""
    return chat_members.has_more_than(tx, conversation_id, MARKS_AT_ONCE_MAX)


def gather(tx: Transaction, conversation_id: str) -> None:
    """Publish the marks of a conversation soon; the caller shares its lock."""
    due = tx.now + tx.rules.span("gathered_marks_every_s")
    event = MarksDue(conversation_id=conversation_id)
    tx.publish_once_later(event, due, f"marks:{conversation_id}")


def publish_gathered(tx: Transaction, event: MarksDue) -> None:
    """Publish the marks of a conversation, unless it has become small."""
    store.lock_conversation(tx, event.conversation_id)
    if not are_gathered(tx, event.conversation_id):
        return
    now = marks_view(tx, event.conversation_id)
    tx.publish(
        MarksGathered(
            conversation_id=now.conversation_id,
            read=now.read,
            delivered=now.delivered,
            message_seq=now.message_seq,
        )
    )


def get_watched(tx: Transaction, conversation_id: str) -> MarksView:
    """Raises NotFound."""
    check_member(tx, conversation_id)
    return marks_view(tx, conversation_id)
