"""Read and delivery marks: the sequence number up to which a user has read or received.

A mark is stored at once. It is published at most once every `read_mark_every_s`: the first one
immediately, later ones by a timer that publishes the latest.
"""

from typing import Literal

from handlers.kit.contract import Empty
from handlers.kit.errors import Invalid
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.marks import MarkDue, MessageDelivered, MessageRead, MoveMark
from handlers.platform.chat.contracts.personal import ConversationRead
from handlers.platform.chat.contracts.rooms import chat_room
from handlers.platform.chat.service.members import check_member
from handlers.platform.presence import public as presences
from handlers.platform.profile import public as profiles
from storage.platform.chat import conversations as store
from storage.platform.chat import marks as chat_marks
from storage.platform.chat import members as chat_members
from storage.platform.chat.marks import Mark

MarkKind = Literal["read", "delivered"]
HELD_MAX = 100
EVENTS: dict[str, type[MessageRead] | type[MessageDelivered]] = {
    "read": MessageRead,
    "delivered": MessageDelivered,
}


def move(tx: Transaction, ask: MoveMark, kind: MarkKind) -> Empty:
    """Raise the actor's mark; a lower one changes nothing."""
    check_member(tx, ask.conversation_id)
    if ask.seq > tx.head("/chat", chat_room(ask.conversation_id)):
        raise Invalid(details={"path": "$.seq", "expected": "the number of an earlier event"})
    mark = chat_marks.lock_mark(tx, ask.conversation_id, tx.actor.id, kind)
    if ask.seq > mark.seq:
        mark.seq = ask.seq
        _publish_or_wait(tx, mark, kind)
    return Empty()


def publish_due(tx: Transaction, event: MarkDue) -> None:
    """Publish the latest mark, unless it was published meanwhile."""
    mark = chat_marks.lock_mark(tx, event.conversation_id, event.user_id, event.kind)
    if mark.seq > mark.told_seq:
        _publish(tx, mark)


def publish_held(tx: Transaction, user_id: str) -> None:
    """Publish the delivery marks that were held back while the user was invisible.

    It does so in the user's `HELD_MAX` most recently active conversations, each in a transaction of
    its own. In others, the next mark is published.
    """
    recent = [one.conversation_id for one in store.list_memberships(tx, user_id, HELD_MAX)]
    for conversation_id in chat_marks.list_untold(tx, recent, user_id, "delivered"):
        tx.publish(MarkDue(conversation_id=conversation_id, user_id=user_id, kind="delivered"))


def _publish_or_wait(tx: Transaction, mark: Mark, kind: MarkKind) -> None:
    every = tx.rules.span("read_mark_every_s")
    # `told_at` may be later than now: another device was faster, or the clock stepped back.
    if mark.told_at is None or abs(tx.now - mark.told_at) >= every:
        _publish(tx, mark)
        return
    chat_marks.keep_mark(tx, mark)
    due = MarkDue(conversation_id=mark.conversation_id, user_id=mark.user_id, kind=kind)
    timer = f"mark:{kind}:{mark.conversation_id}:{mark.user_id}"
    tx.publish_later(due, mark.told_at + every, timer)


def _publish(tx: Transaction, mark: Mark) -> None:
    """Publish a mark, unless its user has left the conversation.

    After a block, only the user's own devices get it: the mark would show the other user that this
    one is active.
    """
    store.lock_conversation(tx, mark.conversation_id)
    membership = chat_members.find_membership(tx, mark.conversation_id, mark.user_id)
    if membership is None:
        return
    mark.told_at = tx.now
    if membership.closed or _hides_marks(tx, mark):
        _publish_to_own_devices(tx, mark)
        return
    mark.told_seq = mark.seq
    chat_marks.keep_mark(tx, mark)
    chat_marks.insert_step(tx, mark)
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


def _publish_to_own_devices(tx: Transaction, mark: Mark) -> None:
    """Store a mark, and publish a read mark to the devices of its user only."""
    chat_marks.keep_mark(tx, mark)
    if mark.kind != "read":
        return
    own = ConversationRead(user_id=mark.user_id, conversation_id=mark.conversation_id, seq=mark.seq)
    tx.publish(own)
