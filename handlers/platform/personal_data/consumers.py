"""Prepares and deletes exports, and carries out planned deletions of accounts."""

from handlers.kit.context import Context
from handlers.kit.transaction import Transaction
from handlers.platform.personal_data import archive, personal_data
from handlers.platform.personal_data.contracts import (
    AccountDeletionDue,
    AccountDeletionPlanned,
    ErasureGoesOn,
    ExportDue,
    ExportRequested,
    WithdrawalGoesOn,
)
from handlers.platform.personal_data.service import deletions, erasure, exports

PREPARED_WITHIN_S = 3_600.0


@personal_data.consumer(ExportRequested, outbound=True, within_s=PREPARED_WITHIN_S)
async def prepare_the_export(ctx: Context, event: ExportRequested) -> None:
    """Write a user's stored data into a file; after a crash, starts again from the beginning."""
    await archive.prepare(ctx, event.export_id, event.user_id)


@personal_data.consumer(ExportDue)
def drop_the_export(tx: Transaction, event: ExportDue) -> None:
    """Delete an export once it has expired."""
    exports.drop_when_due(tx, event.export_id)


@personal_data.consumer(AccountDeletionPlanned, WithdrawalGoesOn)
def call_off_what_is_to_come(
    tx: Transaction, event: AccountDeletionPlanned | WithdrawalGoesOn
) -> None:
    """Cancel what others expect of a user whose account will be deleted, and notify them."""
    deletions.withdraw(tx, event.user_id)


@personal_data.consumer(AccountDeletionDue)
def begin_the_erasure(tx: Transaction, event: AccountDeletionDue) -> None:
    """Close an account whose deletion is due, and begin to erase its data."""
    deletions.begin_when_due(tx, event.user_id)


@personal_data.consumer(ErasureGoesOn)
def erase_the_next(tx: Transaction, event: ErasureGoesOn) -> None:
    """Erase the next batch of data, and publish the event for the one after it."""
    erasure.go_on(tx, event)
