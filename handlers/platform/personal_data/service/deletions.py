"""Decisions about accounts that are to be deleted: planned, taken back, begun.

In the time between, their owner signs in as ever and can take it back. What else happens then,
domains declare (`handlers/kit/personal_data.py`).
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

AT_ONCE = 20
HELD_FOR = timedelta(days=1)
"""An erasure that a domain holds up is tried again after this time."""


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
    """Set the day; planned already, it stays that day. Raises ProofNeeded."""
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
    _look_at(tx, row, row.due_at)
    return DeletionView(deleted_at=row.due_at)


def take_back(tx: Transaction) -> DeletionView:
    """What was called off stays so; what was paused goes on.

    Raises NotFound once the account is closed, for there is no way back then.
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
    """Call off some of what is to come, unless it was taken back meanwhile."""
    if store.find_deletion(tx, user_id) is None:
        return
    steps = tx.kernel.personal_data.withdrawals.values()
    if sum(step.run(tx, user_id, AT_ONCE) for step in steps) > 0:
        tx.publish(WithdrawalGoesOn(user_id=user_id))


def begin_when_due(tx: Transaction, user_id: str) -> None:
    """Begin to erase, or look again: the clock may have gone back, or a domain holds it up."""
    if not profiles.hold_user(tx, user_id):
        return  # it is under way
    row = store.lock_deletion(tx, user_id)
    if row is None:
        return
    if row.due_at > tx.now:
        _look_at(tx, row, row.due_at)
    elif any(holds(tx, user_id) for holds in tx.kernel.personal_data.holds):
        _look_at(tx, row, tx.now + HELD_FOR)
    else:
        erasure.begin(tx, user_id)


def _look_at(tx: Transaction, row: DeletionRow, due: datetime) -> None:
    tx.publish_later(AccountDeletionDue(user_id=row.user_id), due, _timer(row))


def _timer(row: DeletionRow) -> str:
    return f"account_deletion:{row.user_id}"
