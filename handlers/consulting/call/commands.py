"""The commands of /call."""

from handlers.consulting.call import call, quality, service
from handlers.consulting.call.contracts import (
    AccessView,
    CallOver,
    CallQualityView,
    CallView,
    CurrentCallView,
    EndCall,
    GetAccess,
    GetQuality,
    JoinCall,
    JoinedCallView,
    LeaveCall,
    MovedEphemeral,
    QualityView,
    ReportQuality,
    Signal,
    VideoUnavailable,
    call_room,
)
from handlers.kit.context import Context
from handlers.kit.contract import Empty, Nothing
from handlers.kit.errors import TooMany


@call.command()
async def current(ctx: Context, ask: Nothing) -> CurrentCallView:
    """Get your open call, for example after a page load."""
    return await ctx.read(service.get_current)


@call.command(refuses=(CallOver, VideoUnavailable, TooMany))
async def join(ctx: Context, ask: JoinCall) -> JoinedCallView:
    """Join a call with this device, until it leaves or its connection is lost.

    A call that you are in on another device moves to this one; that device receives `moved`.
    """
    await _forget_what_is_over(ctx)
    room = await _listen_to(ctx, ask.call_id)
    joined = await ctx.transact(service.join, ask, ctx.leases.hold(ask.call_id))
    ctx.rooms.publish_ephemeral("/call", room, "moved", MovedEphemeral(ask.call_id))
    return joined


@call.command(refuses=(CallOver, VideoUnavailable))
async def access(ctx: Context, ask: GetAccess) -> AccessView:
    """Get new credentials for an open call, before those of `join` expire."""
    return await ctx.read(service.get_access, ask)


@call.command()
async def signal(ctx: Context, ask: Signal) -> Empty:
    """Send a signal to the other participant."""
    ephemeral = await ctx.read(service.signal, ask)
    if ephemeral is not None:
        ctx.rooms.publish_ephemeral("/call", call_room(ask.call_id, ask.to), "signal", ephemeral)
    return Empty()


@call.command(refuses=(CallOver,), rate="quality_reports", ephemeral=True)
async def report_quality(ctx: Context, ask: ReportQuality) -> QualityView:
    """Report the connection of this device, about every ten seconds while the call is active."""
    view = await ctx.transact(quality.report, ask)
    ctx.kernel.reported.add("call_quality", view.quality)
    ctx.kernel.reported.add("call_path", view.path)
    return view


@call.command(name="quality")
async def get_quality(ctx: Context, ask: GetQuality) -> CallQualityView:
    """Get the quality of both users' connections in a call so far, also after its end."""
    return await ctx.read(quality.get_quality, ask)


@call.command()
async def leave(ctx: Context, ask: LeaveCall) -> CallView:
    """Leave a call with this device; the call ends when no one comes back in time."""
    room = call_room(ask.call_id, ctx.user_id)
    ctx.when_done.append(lambda: ctx.rooms.unfollow("/call", room))
    ctx.when_done.append(lambda: ctx.leases.drop(ask.call_id))
    return await ctx.transact(service.leave, ask, ctx.leases.find(ask.call_id))


@call.command()
async def end(ctx: Context, ask: EndCall) -> CallView:
    """End a call for both participants."""
    return await ctx.transact(service.end_as_party, ask)


async def _listen_to(ctx: Context, call_id: str) -> str:
    """Listen to signals before the other participant can send one; returns the room."""
    room = call_room(call_id, ctx.user_id)
    await ctx.rooms.listen("/call", room)
    return room


async def _forget_what_is_over(ctx: Context) -> None:
    """Calls that ended meanwhile, by whomever, are no limit to a device that stays connected."""
    for call_id in await ctx.read(service.list_over, ctx.leases.subjects):
        ctx.leases.drop(call_id)
        ctx.rooms.unfollow("/call", call_room(call_id, ctx.user_id))
