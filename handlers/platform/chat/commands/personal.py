"""The commands of /chat for a user's private state."""

from handlers.kit.context import Context
from handlers.kit.contract import Empty
from handlers.kit.cost import Cost
from handlers.kit.errors import TooMany
from handlers.platform.chat import chat
from handlers.platform.chat.contracts.personal import (
    Archive,
    BlockedView,
    BlockPerson,
    DeleteForMe,
    KeepDraft,
    ListBlocked,
    Mute,
    OwnStateView,
)
from handlers.platform.chat.service import blocks, personal


@chat.command()
async def mute(ctx: Context, ask: Mute) -> OwnStateView:
    """Mute a conversation until a given time; mentions still notify you."""
    return await ctx.transact(personal.mute, ask)


@chat.command()
async def archive(ctx: Context, ask: Archive) -> OwnStateView:
    """Archive or unarchive a conversation."""
    return await ctx.transact(personal.archive, ask)


@chat.command(rate="reactions")
async def draft(ctx: Context, ask: KeepDraft) -> OwnStateView:
    """Save the draft of a message for all your devices."""
    return await ctx.transact(personal.keep_draft, ask)


@chat.command()
async def delete_for_me(ctx: Context, ask: DeleteForMe) -> Empty:
    """Remove a message from your own history only."""
    return await ctx.transact(personal.delete_for_me, ask)


@chat.command(refuses=(TooMany,))
async def block(ctx: Context, ask: BlockPerson) -> Empty:
    """Block a user, so that neither of you can message the other directly, or unblock them."""
    return await ctx.transact(blocks.block, ask)


@chat.command(name="blocked", costs=Cost(reads=1_100, answer_kib=256))
async def list_blocked(ctx: Context, ask: ListBlocked) -> BlockedView:
    """List the users you have blocked."""
    return await ctx.read(blocks.list_blocked)
