"""Moderators' decisions about cases, and undoing them."""

from handlers.kit.errors import Conflict, NotFound
from handlers.kit.transaction import Transaction
from handlers.platform.chat import public as chats
from handlers.platform.moderation.contracts import CaseView, DecideCase, FlagAnswered, UndoDecision
from handlers.platform.moderation.service.cases import (
    CASES_MAX,
    case_view,
    get_row,
    publish_changed,
    set_hidden,
)
from handlers.platform.moderation.service.records import note_decision
from storage.platform import moderation as store
from storage.platform.moderation import CaseRow


def decide(tx: Transaction, ask: DecideCase) -> CaseView:
    """Close a case by hiding its message or by dismissing the flags.

    Raises NotFound, OwnMessage, and Conflict when the case has changed or is decided already.
    """
    case = _hold(tx, ask.case_id, ask.version)
    if case.closed_at is not None:
        raise Conflict("This case is already decided.")
    case.was_hidden = case.hidden
    set_hidden(tx, case, ask.decision == "hide")
    case.status = "hidden" if ask.decision == "hide" else "dismissed"
    case.closed_at, case.decided_by = tx.now, tx.actor.id
    note_decision(tx, ask.decision, case, ask.note, by=tx.actor.id)
    for user_id in store.answer_flags(tx, case.id):
        tx.publish(FlagAnswered(user_id=user_id, case_id=case.id))
    return _changed(tx, case)


def undo(tx: Transaction, ask: UndoDecision) -> CaseView:
    """Restore the state before the decision, and reopen the case.

    Raises NotFound, OwnMessage, and Conflict when the case has changed, is not decided, or the
    message has a later case.
    """
    case = _hold(tx, ask.case_id, ask.version)
    if case.status not in ("dismissed", "hidden"):
        raise Conflict("This case is not decided.")
    if store.lock_cases(tx, case.message_id, CASES_MAX)[-1].id != case.id:
        raise Conflict("This message has a later case.")
    set_hidden(tx, case, case.was_hidden)
    case.status, case.closed_at, case.decided_by = "open", None, None
    note_decision(tx, "undo", case, ask.note, by=tx.actor.id)
    return _changed(tx, case)


def _hold(tx: Transaction, case_id: str, version: int) -> CaseRow:
    """The case, locked with its message; raises Conflict unless the actor has seen this version."""
    message = chats.hold_original(tx, get_row(tx, case_id).message_id)
    case = store.lock_case(tx, case_id)
    if case is None or message is None:
        raise NotFound
    if case.version != version or message.deleted:
        raise Conflict
    return case


def _changed(tx: Transaction, case: CaseRow) -> CaseView:
    case.version += 1
    publish_changed(tx, case)
    return case_view(case)
