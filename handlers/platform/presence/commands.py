"""The commands of /presence."""

from handlers.kit.context import Context
from handlers.kit.contract import Empty
from handlers.kit.cost import Cost
from handlers.kit.errors import TooMany
from handlers.platform.presence import presence, service
from handlers.platform.presence.contracts import (
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
