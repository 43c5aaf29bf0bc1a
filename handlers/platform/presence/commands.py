"""The commands of /presence."""

from handlers.kit.context import Context
from handlers.kit.contract import Empty
from handlers.kit.cost import Cost
from handlers.kit.errors import TooMany
from handlers.platform.presence import presence, service
from handlers.platform.presence.contracts import (
    GetOwnPresence,
    OwnPresenceStateView,
    OwnPresenceView,
    SetInvisible,
    SetStatus,
    StatesView,
    UnwatchPeople,
    WatchPeople,
    presence_room,
)

NAMESPACE = "/presence"


@presence.command(refuses=(TooMany,), costs=Cost(reads=2_500, answer_kib=128))
async def watch(ctx: Context, ask: WatchPeople) -> StatesView:
    """Get the presence of users, and subscribe to its changes."""
    known = await ctx.read(service.list_known, ask.user_ids)
    rooms = [presence_room(user_id) for user_id in known]
    ctx.after_ack.append(await ctx.rooms.listen(NAMESPACE, *rooms))
    return await ctx.read(service.get_states, known)  # once it listens: it misses no change


@presence.command()
async def unwatch(ctx: Context, ask: UnwatchPeople) -> StatesView:
    """Unsubscribe from the presence of users; answers their current presence."""
    for user_id in ask.user_ids:
        ctx.rooms.unfollow(NAMESPACE, presence_room(user_id))
    return await ctx.read(service.get_states, ask.user_ids)


@presence.command()
async def set_status(ctx: Context, ask: SetStatus) -> Empty:
    """Set your own presence status."""
    return await ctx.transact(service.set_status, ask)


@presence.command()
async def set_invisible(ctx: Context, ask: SetInvisible) -> OwnPresenceView:
    """Hide from others that you are online, on all your devices, or show it again."""
    return await ctx.transact(service.set_invisible, ask)


@presence.command()
async def me(ctx: Context, ask: GetOwnPresence) -> OwnPresenceStateView:
    """Get your own status, and whether you are invisible."""
    return await ctx.read(service.get_own)
