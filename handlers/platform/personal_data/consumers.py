"""What goes on by itself: exports are made and dropped, who is about to go goes."""

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
    """Write all that is kept of somebody into a file; from the start again after a crash."""
    await archive.prepare(ctx, event.export_id, event.user_id)


@personal_data.consumer(ExportDue)
def drop_the_export(tx: Transaction, event: ExportDue) -> None:
    """An export is kept for some days only."""
    exports.drop_when_due(tx, event.export_id)


@personal_data.consumer(AccountDeletionPlanned, WithdrawalGoesOn)
def call_off_what_is_to_come(
    tx: Transaction, event: AccountDeletionPlanned | WithdrawalGoesOn
) -> None:
    """Who is about to go meets nobody any more; the others are told."""
    deletions.withdraw(tx, event.user_id)


@personal_data.consumer(AccountDeletionDue)
def begin_the_erasure(tx: Transaction, event: AccountDeletionDue) -> None:
    """Nobody took it back: the account is closed, and what there is of it begins to go."""
    deletions.begin_when_due(tx, event.user_id)


@personal_data.consumer(ErasureGoesOn)
def erase_the_next(tx: Transaction, event: ErasureGoesOn) -> None:
    """Erase a little, and say what is next."""
    erasure.go_on(tx, event)
