"""The audit log: every act of a moderator or the operator adds a row, which is never deleted."""

from msgspec import structs

from handlers.kit.paging import LAST_ID, cursor_of, fitting, position_of
from handlers.kit.transaction import Transaction
from handlers.platform.moderation.contracts import Act, AuditEntry, AuditPage, ListAudit
from storage.platform import moderation as store
from storage.platform.moderation import AuditRow, CaseRow

AUDIT = "/moderation audit"


def note_role(tx: Transaction, act: Act, user_id: str, role: str) -> None:
    """Record what the operator changed about a user's role."""
    about = (user_id, role, None, None)
    store.insert_audit(tx, AuditRow(tx.new_id(), tx.now, act, None, *about, note=""))


def note_decision(tx: Transaction, act: Act, case: CaseRow, note: str, by: str | None) -> None:
    """Record a decision about a case, by a moderator or, if `by` is None, by the server."""
    about = (case.sender_id, None, case.id, case.message_id)
    store.insert_audit(tx, AuditRow(tx.new_id(), tx.now, act, by, *about, note))


def list_audit(tx: Transaction, ask: ListAudit) -> AuditPage:
    (before,) = position_of(tx, AUDIT, ask.before) or (LAST_ID,)
    rows = store.list_audit(tx, before, ask.limit + 1)
    page = fitting(rows[: ask.limit], lambda row: len(row.note))
    return AuditPage(
        entries=[AuditEntry(**structs.asdict(row)) for row in page],
        next=cursor_of(tx, AUDIT, page[-1].id) if len(rows) > len(page) else None,
    )
