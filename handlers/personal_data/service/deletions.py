"""Decisions about accounts that are to be deleted: planned, taken back, begun.

In the time between, their owner signs in as ever and can take it back; nobody finds or books them,
and what they had booked is called off.
"""

from handlers.auth import public as accounts
from handlers.availability import public as availability
from handlers.booking import public as bookings
from handlers.consultants import public as consultants
from handlers.kit.context import Transaction
from handlers.personal_data.contracts import (
    AccountDeletionCancelled,
    AccountDeletionDue,
    AccountDeletionPlanned,
    AccountView,
    DeletionView,
    WithdrawalGoesOn,
)
from handlers.personal_data.service import erasure
from handlers.personal_data.service.exports import view_of
from handlers.profile import public as profiles
from rooms import names
from storage import personal_data as store
from storage.personal_data import DeletionRow

AT_ONCE = 20
REASON = "The account of the other one is to be deleted."


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
        consulted_as=consultants.pause(tx, tx.actor.id),
        erased_at=None,
    )
    store.insert_deletion(tx, row)
    tx.publish(AccountDeletionPlanned(user_id=row.user_id, deleted_at=row.due_at))
    _look_later(tx, row)
    return DeletionView(deleted_at=row.due_at)


def take_back(tx: Transaction) -> DeletionView:
    """What was called off stays so; who consulted does so again.

    Raises NotFound once the account is closed, for there is no way back then.
    """
    profiles.lock_user(tx, tx.actor.id)
    row = store.lock_deletion(tx, tx.actor.id)
    if row is not None:
        store.cancel_deletion(tx, row.user_id)
        tx.cancel_timer(_timer(row))
        if row.consulted_as is not None:
            consultants.resume(tx, row.user_id, row.consulted_as)
        tx.publish(AccountDeletionCancelled(user_id=row.user_id))
    return DeletionView(deleted_at=None)


def keep_paused(tx: Transaction, user_id: str) -> None:
    """Who begins to consult while they are about to go does so once they took it back."""
    row = store.lock_deletion(tx, user_id)
    if row is None or row.erased_at is not None:
        return
    status = consultants.pause(tx, user_id)
    if status is not None:
        store.note_consulted(tx, user_id, status)


def withdraw(tx: Transaction, user_id: str) -> None:
    """Call off some of what is to come, unless it was taken back meanwhile."""
    if store.find_deletion(tx, user_id) is None:
        return
    done = bookings.call_off_all(tx, user_id, REASON, AT_ONCE)
    done += availability.leave_waiting_lists(tx, user_id, AT_ONCE)
    if done:
        tx.publish(WithdrawalGoesOn(user_id=user_id))


def begin_when_due(tx: Transaction, user_id: str) -> None:
    """Begin to erase, or look again: the clock may have gone back."""
    if not profiles.hold_user(tx, user_id):
        return  # it is under way
    row = store.lock_deletion(tx, user_id)
    if row is None:
        return
    if row.due_at > tx.now:
        _look_later(tx, row)
    else:
        erasure.begin(tx, user_id)


def _look_later(tx: Transaction, row: DeletionRow) -> None:
    tx.publish_later(AccountDeletionDue(user_id=row.user_id), row.due_at, _timer(row))


def _timer(row: DeletionRow) -> str:
    return f"account_deletion:{row.user_id}"
