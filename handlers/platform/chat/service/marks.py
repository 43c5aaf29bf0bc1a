"""Read and delivery marks: the sequence number up to which a user has read or received.

Invariants:
- A mark is stored at once and only increases. Each user's mark is published at most once every
  `read_mark_every_s`: the first one immediately, later ones by a timer that publishes the latest.
- In a conversation of up to `MARKS_AT_ONCE_MAX` members, an event in the conversation's room
  publishes the mark. In a larger one, `service/gathering.py` publishes the marks of all members
  together. The user's own devices receive their read mark without this delay.
- Transactions lock the user's membership before the mark, so nobody publishes a mark after leaving.
"""

from handlers.kit.contract import Empty
from handlers.kit.errors import Invalid
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.marks import MarkDue, MessageDelivered, MessageRead, MoveMark
from handlers.platform.chat.contracts.personal import ConversationRead
from handlers.platform.chat.contracts.rooms import chat_room
from handlers.platform.chat.service.gathering import are_gathered, gather
from handlers.platform.chat.service.members import hold_member
from handlers.platform.presence import public as presences
from handlers.platform.profile import public as profiles
from storage.platform.chat import conversations as store
from storage.platform.chat import marks as chat_marks
from storage.platform.chat import members as chat_members
from storage.platform.chat.marks import Mark, MarkKind
from storage.platform.chat.members import Membership

HELD_MAX = 100
EVENTS: dict[MarkKind, type[MessageRead] | type[MessageDelivered]] = {
    "read": MessageRead,
    "delivered": MessageDelivered,
}


def move(tx: Transaction, ask: MoveMark, kind: MarkKind) -> Empty:
    """Raise the actor's mark; a lower one only ends what they marked as unread.

    Raises NotFound or Invalid.
    """
    membership = hold_member(tx, ask.conversation_id)
    if ask.seq > tx.head("/chat", chat_room(ask.conversation_id)):
        raise Invalid(details={"path": "$.seq", "expected": "the number of an earlier event"})
    mark = chat_marks.lock_mark(tx, ask.conversation_id, tx.actor.id, kind)
    if ask.seq > mark.seq:
        mark.seq, mark.unread_from = ask.seq, None
        _publish_or_wait(tx, mark, membership)
    elif mark.unread_from is not None and ask.seq >= mark.unread_from:
        mark.unread_from = ask.seq + 1 if ask.seq < mark.seq else None
        chat_marks.keep_mark(tx, mark)
        _publish_to_own_devices(tx, mark, ask.seq)
    return Empty()


def publish_due(tx: Transaction, event: MarkDue) -> None:
    """Publish the latest mark, unless it was published meanwhile or its user has left."""
    membership = chat_members.hold_membership(tx, event.conversation_id, event.user_id)
    if membership is None:
        return
    mark = chat_marks.lock_mark(tx, event.conversation_id, event.user_id, event.kind)
    if mark.seq > mark.told_seq:
        _publish(tx, mark, membership)


def publish_held(tx: Transaction, user_id: str) -> None:
    """Publish the delivery marks that were held back while the user was invisible.

    It does so in the user's `HELD_MAX` most recently active conversations, each in a transaction of
    its own. In others, the next mark is published.
    """
    recent = [one.conversation_id for one in store.list_memberships(tx, user_id, HELD_MAX)]
    for conversation_id in chat_marks.list_untold(tx, recent, user_id, "delivered"):
        tx.publish(MarkDue(conversation_id=conversation_id, user_id=user_id, kind="delivered"))


def _publish_or_wait(tx: Transaction, mark: Mark, membership: Membership) -> None:
    every = tx.rules.span("read_mark_every_s")
    # `told_at` may be later than now: another device was faster, or the clock stepped back.
    if mark.told_at is None or abs(tx.now - mark.told_at) >= every:
        _publish(tx, mark, membership)
        return
    chat_marks.keep_mark(tx, mark)
    due = MarkDue(conversation_id=mark.conversation_id, user_id=mark.user_id, kind=mark.kind)
    timer = f"mark:{mark.kind}:{mark.conversation_id}:{mark.user_id}"
    tx.publish_later(due, mark.told_at + every, timer)


def _publish(tx: Transaction, mark: Mark, membership: Membership) -> None:
    """Publish or gather a mark.

    After a block, only the user's own devices get it: the mark would show the other user that this
    one is active.
    """
    mark.told_at = tx.now
    if membership.closed or _hides_marks(tx, mark):
        chat_marks.keep_mark(tx, mark)
        _publish_to_own_devices(tx, mark, mark.seq)
        return
    mark.told_seq = mark.seq
    chat_marks.keep_mark(tx, mark)
    chat_marks.insert_step(tx, mark)
    if are_gathered(tx, mark.conversation_id):
        gather(tx, mark.conversation_id)
        _publish_to_own_devices(tx, mark, mark.seq)
        return
    event = EVENTS[mark.kind]
    tx.publish(event(conversation_id=mark.conversation_id, user_id=mark.user_id, seq=mark.seq))


def _hides_marks(tx: Transaction, mark: Mark) -> bool:
    """Whether other members do not see this mark.

    They see no read mark of a user who turned read receipts off, and no delivery mark of an
    invisible user, which would show that a device is connected.
    """
    if mark.kind == "delivered":
        return presences.is_invisible(tx, mark.user_id)
    return not profiles.get_user(tx, mark.user_id).settings.read_receipts


def _publish_to_own_devices(tx: Transaction, mark: Mark, seq: int) -> None:
    """Tell the devices of its user how far they have read; delivery marks do not matter to them."""
    if mark.kind == "read":
        own = ConversationRead(user_id=mark.user_id, conversation_id=mark.conversation_id, seq=seq)
        tx.publish(own)
