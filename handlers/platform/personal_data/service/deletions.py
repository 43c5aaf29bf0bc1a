"""Decisions about deletions of accounts: to plan one, to cancel it, and to begin the erasure.

Until the erasure begins, the owner can sign in as usual and cancel the deletion. Domains declare
what else happens meanwhile (`handlers/kit/personal_data.py`).
"""

from datetime import datetime, timedelta

from handlers.kit.transaction import Transaction
from handlers.platform.auth import public as accounts
from handlers.platform.personal_data.contracts import (
    AccountDeletionCancelled,
    AccountDeletionDue,
    AccountDeletionPlanned,
    AccountView,
    DeletionView,
    WithdrawalGoesOn,
)
from handlers.platform.personal_data.service import erasure
from handlers.platform.personal_data.service.exports import view_of
from handlers.platform.profile import public as profiles
from rooms import names
from storage.platform.personal_data import tables as store
from storage.platform.personal_data.tables import DeletionRow

WITHDRAWALS_BATCH = 20
RETRY_AFTER = timedelta(days=1)
"""If a domain delays an erasure, it is tried again after this time."""


def get_account(tx: Transaction) -> AccountView:
    export = store.find_latest_export(tx, tx.actor.id)
    deletion = store.find_deletion(tx, tx.actor.id)
    return AccountView(
        export=view_of(export) if export else None,
        url=None,
        deleted_at=deletion.due_at if deletion else None,
        seq=tx.head("/account", names.user(tx.actor.id)),
    )


def plan(tx: Transaction) -> DeletionView:
    """Plan the deletion; one that is already planned keeps its time. Raises ProofNeeded."""
    accounts.require_fresh_proof(tx)
    profiles.lock_user(tx, tx.actor.id)
    planned = store.find_deletion(tx, tx.actor.id)
    if planned is not None:
        return DeletionView(deleted_at=planned.due_at)
    row = DeletionRow(
        user_id=tx.actor.id,
        asked_at=tx.now,
        due_at=tx.now + tx.rules.span("deletion_grace_days"),
        erased_at=None,
    )
    store.insert_deletion(tx, row)
    for planned_for in tx.kernel.personal_data.planned:
        planned_for(tx, row.user_id)
    tx.publish(AccountDeletionPlanned(user_id=row.user_id, deleted_at=row.due_at))
    _schedule(tx, row, row.due_at)
    return DeletionView(deleted_at=row.due_at)


def cancel(tx: Transaction) -> DeletionView:
    """Cancel the deletion. What it cancelled stays cancelled; what it paused resumes.

    Raises NotFound once the account is closed, because a closed account cannot be restored.
    """
    profiles.lock_user(tx, tx.actor.id)
    row = store.lock_deletion(tx, tx.actor.id)
    if row is not None:
        store.cancel_deletion(tx, row.user_id)
        tx.cancel_timer(_timer(row))
        for restore in tx.kernel.personal_data.restored:
            restore(tx, row.user_id)
        tx.publish(AccountDeletionCancelled(user_id=row.user_id))
    return DeletionView(deleted_at=None)


def withdraw(tx: Transaction, user_id: str) -> None:
    """Run one batch of withdrawals, unless the deletion was cancelled meanwhile."""
    if store.find_deletion(tx, user_id) is None:
        return
    steps = tx.kernel.personal_data.withdrawals.values()
    if sum(step.run(tx, user_id, WITHDRAWALS_BATCH) for step in steps) > 0:
        tx.publish(WithdrawalGoesOn(user_id=user_id))


def begin_when_due(tx: Transaction, user_id: str) -> None:
    """Begin the erasure, or try again later if the clock was set back or a domain delays it."""
    if not profiles.hold_user(tx, user_id):
        return  # the erasure has already begun
    row = store.lock_deletion(tx, user_id)
    if row is None:
        return
    if row.due_at > tx.now:
        _schedule(tx, row, row.due_at)
    elif any(holds(tx, user_id) for holds in tx.kernel.personal_data.holds):
        _schedule(tx, row, tx.now + RETRY_AFTER)
    else:
        erasure.begin(tx, user_id)


def _schedule(tx: Transaction, row: DeletionRow, due: datetime) -> None:
    tx.publish_later(AccountDeletionDue(user_id=row.user_id), due, _timer(row))


def _timer(row: DeletionRow) -> str:
    return f"account_deletion:{row.user_id}"
