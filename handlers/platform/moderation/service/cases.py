"""Cases: a case is open from the first flag or filter match until the decision.

Invariants:
- A message has at most one open case.
- A transaction that changes a case locks the message first, then the case. So flags, decisions,
  their undoing, edits and deletions of one message run one after another, without deadlocks.
"""

from msgspec import structs

from handlers.kit.contract import encode
from handlers.kit.errors import NotFound
from handlers.kit.paging import FIRST_ID, cursor_of, position_of
from handlers.kit.transaction import Transaction
from handlers.platform.chat import public as chats
from handlers.platform.chat.contracts.messages import MessageView
from handlers.platform.moderation.contracts import (
    MODERATORS_ROOM,
    CaseChanged,
    CaseOpened,
    CaseView,
    FlagNote,
    ListQueue,
    OpenedCase,
    OwnMessage,
    QueuePage,
)
from storage.events.idempotency import rewrite_answers
from storage.events.log import rewrite_subject
from storage.platform import moderation as store
from storage.platform.moderation import CaseRow

NOTES_MAX = 100
CASES_MAX = 1_000
"""Cases of one message; each new one needs a user who has not flagged it before."""
QUEUE = "/moderation queue"


def open_case(tx: Transaction, message: MessageView) -> CaseRow:
    """A new case of a locked message that has no open case."""
    case = CaseRow(
        id=tx.new_id(),
        message_id=message.id,
        conversation_id=message.conversation_id,
        sender_id=message.sender_id,
        status="open",
        flags=0,
        reasons={},
        hit=None,
        hidden=message.hidden,
        was_hidden=False,
        opened_at=tx.now,
        closed_at=None,
        decided_by=None,
        version=1,
    )
    store.insert_case(tx, case)
    return case


def publish_opened(tx: Transaction, case: CaseRow) -> None:
    """Save a case that this transaction opened, and publish it to the moderators."""
    store.update_case(tx, case)
    tx.publish(CaseOpened(case=case_view(case)))


def publish_changed(tx: Transaction, case: CaseRow) -> None:
    """Save a changed case, and publish it to the moderators."""
    store.update_case(tx, case)
    tx.publish(CaseChanged(case=case_view(case)))


def set_hidden(tx: Transaction, case: CaseRow, hidden: bool) -> None:
    """Hide the case's message, or show it again."""
    change = chats.hide if hidden else chats.restore
    change(tx, case.message_id)
    case.hidden = hidden


def record_hit(tx: Transaction, message_id: str, hit: str) -> None:
    """Record a match of the filter in a case of the message, unless it was deleted."""
    message = chats.hold_original(tx, message_id)
    if message is None or message.deleted:
        return
    known = store.lock_open_case(tx, message_id)
    case = known or open_case(tx, message)
    case.hit = hit
    (publish_changed if known else publish_opened)(tx, case)


def require_new_review(tx: Transaction, message_id: str) -> None:
    """Raise the version of an edited message's open case, so nobody decides about the old text."""
    chats.hold_original(tx, message_id)
    case = store.lock_open_case(tx, message_id)
    if case is not None:
        case.version += 1
        publish_changed(tx, case)


def close_deleted(tx: Transaction, message_id: str) -> None:
    """Close the case of a deleted message, and delete everything that may quote it."""
    store.forget_notes(tx, message_id)
    for case in store.lock_cases(tx, message_id, CASES_MAX):
        was_open = case.closed_at is None
        case.hit, case.hidden = None, False
        if was_open:
            case.status, case.closed_at, case.version = "gone", tx.now, case.version + 1
        _rewrite(tx, case)
        if was_open:
            publish_changed(tx, case)


def _rewrite(tx: Transaction, case: CaseRow) -> None:
    """Save a case, and rewrite its earlier events and stored answers to its current state."""
    view = case_view(case)
    about = view.about() or ""
    store.update_case(tx, case)
    rewrite_subject(tx, about, encode(CaseChanged(case=view)))
    rewrite_answers(tx, about, encode(view))


def list_queue(tx: Transaction, ask: ListQueue) -> QueuePage:
    after, older_name = ask.before or ask.after, ask.before is None
    position = position_of(tx, QUEUE, after, "after" if older_name else "before")
    (after_id,) = position or (FIRST_ID,)
    rows = store.list_open_cases(tx, after_id, ask.limit + 1)
    page = rows[: ask.limit]
    return QueuePage(
        cases=[case_view(row) for row in page],
        next=cursor_of(tx, QUEUE, page[-1].id) if len(rows) > ask.limit else None,
        seq=tx.head("/moderation", MODERATORS_ROOM),
    )


def get_case(tx: Transaction, case_id: str) -> OpenedCase:
    """A case with its message and notes, for review; raises NotFound or OwnMessage."""
    case = get_row(tx, case_id)
    message = chats.find_original(tx, case.message_id)
    if message is None:
        raise NotFound
    notes = store.list_flags(tx, case.id, NOTES_MAX)
    return OpenedCase(
        case=case_view(case),
        message=message,
        notes=[FlagNote(one.reason, one.note, one.at) for one in notes],
    )


def get_upload(tx: Transaction, case_id: str) -> str:
    """The id of the upload in a case's message; raises NotFound or OwnMessage."""
    return chats.find_original_upload(tx, get_row(tx, case_id).message_id)


def get_row(tx: Transaction, case_id: str) -> CaseRow:
    """A case that the actor may review and decide; raises NotFound or OwnMessage."""
    case = store.find_case(tx, case_id)
    if case is None:
        raise NotFound
    if case.sender_id == tx.actor.id:
        raise OwnMessage
    return case


def case_view(case: CaseRow) -> CaseView:
    fields = structs.asdict(case)
    del fields["was_hidden"]
    return CaseView(**fields)
