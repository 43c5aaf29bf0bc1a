"""The commands in /account for one's own data: an export, and the end of the account."""

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
    """Have a file made of all that is kept of you; needs a fresh proof, a few times a day."""
    return await ctx.transact(exports.ask)


@personal_data.command(namespace="/account")
async def get(ctx: Context, ask: GetAccount) -> AccountView:
    """What is under way with your account; with a fresh proof, where your export is fetched."""
    return await exports.with_link(ctx, await ctx.read(deletions.get_account))


@personal_data.command(namespace="/account", refuses=(ProofNeeded,))
async def delete(ctx: Context, ask: DeleteAccount) -> DeletionView:
    """Have your account deleted after some weeks; needs a fresh proof. Bookings end at once."""
    return await ctx.transact(deletions.plan)


@personal_data.command(namespace="/account")
async def restore(ctx: Context, ask: RestoreAccount) -> DeletionView:
    """Keep your account after all."""
    return await ctx.transact(deletions.take_back)
