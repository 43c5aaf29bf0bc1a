"""How far a person has read or got a conversation.

A mark is kept at once and told at most once in a while: the first at once, the latest by a timer.
"""

from typing import Literal

from handlers.kit.contract import Empty
from handlers.kit.errors import Invalid
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.marks import MarkDue, MessageDelivered, MessageRead, MoveMark
from handlers.platform.chat.contracts.personal import ConversationRead
from handlers.platform.chat.service.members import check_member
from handlers.platform.profile import public as profiles
from rooms import names
from storage.platform.chat import conversations as store
from storage.platform.chat import marks as chat_marks
from storage.platform.chat import members as chat_members
from storage.platform.chat.marks import Mark

MarkKind = Literal["read", "delivered"]
EVENTS: dict[str, type[MessageRead] | type[MessageDelivered]] = {
    "read": MessageRead,
    "delivered": MessageDelivered,
}


def move(tx: Transaction, ask: MoveMark, kind: MarkKind) -> Empty:
    """Raise the actor's mark; a lower one changes nothing."""
    check_member(tx, ask.conversation_id)
    if ask.seq > tx.head("/chat", names.chat(ask.conversation_id)):
        raise Invalid(details={"path": "$.seq", "expected": "the number of an earlier event"})
    mark = chat_marks.lock_mark(tx, ask.conversation_id, tx.actor.id, kind)
    if ask.seq > mark.seq:
        mark.seq = ask.seq
        _tell_or_wait(tx, mark, kind)
    return Empty()


def tell_due(tx: Transaction, event: MarkDue) -> None:
    """Tell the latest mark."""
    mark = chat_marks.lock_mark(tx, event.conversation_id, event.user_id, event.kind)
    if mark.seq > mark.told_seq:
        _tell(tx, mark)


def _tell_or_wait(tx: Transaction, mark: Mark, kind: MarkKind) -> None:
    every = tx.rules.span("read_mark_every_s")
    # Another device's mark may have been told a moment after this one came; a clock steps back.
    if mark.told_at is None or abs(tx.now - mark.told_at) >= every:
        _tell(tx, mark)
        return
    chat_marks.keep_mark(tx, mark)
    due = MarkDue(conversation_id=mark.conversation_id, user_id=mark.user_id, kind=kind)
    timer = f"mark:{kind}:{mark.conversation_id}:{mark.user_id}"
    tx.publish_later(due, mark.told_at + every, timer)


def _tell(tx: Transaction, mark: Mark) -> None:
    """Tell a mark, unless its person is out by now.

    Between two of whom one has blocked the other it would tell that somebody is there.
    """
    store.lock_conversation(tx, mark.conversation_id)
    seat = chat_members.find_seat(tx, mark.conversation_id, mark.user_id)
    if seat is None:
        return
    mark.told_at = tx.now
    if seat.closed or _hides_marks(tx, mark):
        _tell_oneself(tx, mark)
        return
    mark.told_seq = mark.seq
    chat_marks.keep_mark(tx, mark)
    chat_marks.insert_step(tx, mark)
    event = EVENTS[mark.kind]
    tx.publish(event(conversation_id=mark.conversation_id, user_id=mark.user_id, seq=mark.seq))


def _hides_marks(tx: Transaction, mark: Mark) -> bool:
    """Whether its person tells nobody what they read."""
    return mark.kind == "read" and not profiles.get_user(tx, mark.user_id).settings.read_receipts


def _tell_oneself(tx: Transaction, mark: Mark) -> None:
    """What one has read is on one's own devices, though the others are not told."""
    chat_marks.keep_mark(tx, mark)
    if mark.kind != "read":
        return
    own = ConversationRead(user_id=mark.user_id, conversation_id=mark.conversation_id, seq=mark.seq)
    tx.publish(own)
