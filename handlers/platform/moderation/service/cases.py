"""Cases: one open a message, from the first flag or hit to the decision.

Whoever changes a case holds its message first, then the case: so flags, decisions, undoing, edits
and deletions of one message run one after the other, and none waits for another in a circle.
"""

from msgspec import structs

from handlers.kit.contract import encode
from handlers.kit.errors import NotFound
from handlers.kit.transaction import Transaction
from handlers.platform.chat import public as chats
from handlers.platform.chat.contracts.messages import MessageView
from handlers.platform.moderation.contracts import (
    CaseChanged,
    CaseOpened,
    CaseView,
    FlagNote,
    ListQueue,
    OpenedCase,
    OwnMessage,
    QueuePage,
)
from rooms import names
from storage.events.idempotency import rewrite_answers
from storage.events.log import rewrite_subject
from storage.platform import moderation as store
from storage.platform.moderation import CaseRow

NOTES_MAX = 100
CASES_MAX = 1_000
"""Of one message; each needs somebody who did not flag it before."""
BEFORE_ALL_IDS = ""


def open_case(tx: Transaction, message: MessageView) -> CaseRow:
    """A new case of a message (held) that has no open one."""
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


def tell_opened(tx: Transaction, case: CaseRow) -> None:
    """Keep what became of a case that was opened in this transaction, and tell the moderators."""
    store.update_case(tx, case)
    tx.publish(CaseOpened(case=case_view(case)))


def tell_changed(tx: Transaction, case: CaseRow) -> None:
    """Keep a case as it is now, and tell the moderators."""
    store.update_case(tx, case)
    tx.publish(CaseChanged(case=case_view(case)))


def set_hidden(tx: Transaction, case: CaseRow, hidden: bool) -> None:
    """Hide the case's message, or show it again."""
    change = chats.hide if hidden else chats.restore
    change(tx, case.message_id)
    case.hidden = hidden


def notice(tx: Transaction, message_id: str, hit: str) -> None:
    """The filter found something in a message: somebody should look at it, if it is still there."""
    message = chats.hold_said(tx, message_id)
    if message is None or message.deleted:
        return
    known = store.lock_open_case(tx, message_id)
    case = known or open_case(tx, message)
    case.hit = hit
    (tell_changed if known else tell_opened)(tx, case)


def look_again(tx: Transaction, message_id: str) -> None:
    """A message was changed: nobody decides about what it said before."""
    chats.hold_said(tx, message_id)
    case = store.lock_open_case(tx, message_id)
    if case is not None:
        case.version += 1
        tell_changed(tx, case)


def close_gone(tx: Transaction, message_id: str) -> None:
    """A message was taken back: its case is closed, and nothing is kept that may quote it."""
    store.forget_notes(tx, message_id)
    for case in store.lock_cases(tx, message_id, CASES_MAX):
        was_open = case.closed_at is None
        case.hit, case.hidden = None, False
        if was_open:
            case.status, case.closed_at, case.version = "gone", tx.now, case.version + 1
        _rewrite(tx, case)
        if was_open:
            tell_changed(tx, case)


def _rewrite(tx: Transaction, case: CaseRow) -> None:
    """Keep a case as it is now, also wherever it was told of before."""
    view = case_view(case)
    about = view.about() or ""
    store.update_case(tx, case)
    rewrite_subject(tx, about, encode(CaseChanged(case=view)))
    rewrite_answers(tx, about, encode(view))


def list_queue(tx: Transaction, ask: ListQueue) -> QueuePage:
    rows = store.list_open_cases(tx, ask.after or BEFORE_ALL_IDS, ask.limit + 1)
    page = rows[: ask.limit]
    return QueuePage(
        cases=[case_view(row) for row in page],
        next=page[-1].id if len(rows) > ask.limit else None,
        seq=tx.head("/moderation", names.MODERATORS),
    )


def get_case(tx: Transaction, case_id: str) -> OpenedCase:
    """A case with what its moderator needs, and no more; raises NotFound or OwnMessage."""
    case = get_row(tx, case_id)
    message = chats.find_said(tx, case.message_id)
    if message is None:
        raise NotFound
    notes = store.list_flags(tx, case.id, NOTES_MAX)
    return OpenedCase(
        case=case_view(case),
        message=message,
        notes=[FlagNote(one.reason, one.note, one.at) for one in notes],
    )


def get_upload(tx: Transaction, case_id: str) -> str:
    """The upload that a case's message shows; raises NotFound or OwnMessage."""
    return chats.find_upload_said(tx, get_row(tx, case_id).message_id)


def get_row(tx: Transaction, case_id: str) -> CaseRow:
    """A case that the actor may look at and decide; raises NotFound or OwnMessage."""
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
