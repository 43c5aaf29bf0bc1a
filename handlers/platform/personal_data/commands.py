"""Commands in /account to export one's own data and to delete the account."""

from handlers.kit.context import Context
from handlers.platform.auth.contracts import ProofNeeded
from handlers.platform.personal_data import personal_data
from handlers.platform.personal_data.contracts import (
    AccountView,
    AskExport,
    DeleteAccount,
    DeletionView,
    ExportUnderWay,
    ExportView,
    GetAccount,
    RestoreAccount,
)
from handlers.platform.personal_data.service import deletions, exports


@personal_data.command(namespace="/account", refuses=(ProofNeeded, ExportUnderWay))
async def export(ctx: Context, ask: AskExport) -> ExportView:
    """Export all your personal data; requires a fresh proof, a few times a day."""
    return await ctx.transact(exports.ask)


@personal_data.command(namespace="/account")
async def get(ctx: Context, ask: GetAccount) -> AccountView:
    """Get the state of your account; a fresh proof adds the link to a ready export."""
    return await exports.with_link(ctx, await ctx.read(deletions.get_account))


@personal_data.command(namespace="/account", refuses=(ProofNeeded,))
async def delete(ctx: Context, ask: DeleteAccount) -> DeletionView:
    """Delete your account after a few weeks and cancel your bookings now; needs a fresh proof."""
    return await ctx.transact(deletions.plan)


@personal_data.command(namespace="/account")
async def restore(ctx: Context, ask: RestoreAccount) -> DeletionView:
    """Cancel the deletion of your account."""
    return await ctx.transact(deletions.cancel)
