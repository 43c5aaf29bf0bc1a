"""The commands of /waiting-room."""

from handlers.consulting.booking.contracts import WrongState
from handlers.consulting.call.contracts import CallView, InCall
from handlers.consulting.waiting_room import waiting_room
from handlers.consulting.waiting_room.contracts import (
    AdmitStudent,
    EnterRoom,
    GetQueue,
    GetStand,
    LeaveRoom,
    PlaceView,
    QueueView,
    StandView,
    TooEarly,
)
from handlers.consulting.waiting_room.service import desk, places
from handlers.kit.context import Context
from handlers.kit.contract import Empty
from handlers.kit.cost import Cost
from handlers.kit.errors import TooMany

MOVES = Cost(reads=400, writes=400, kept_kib=64)
"""Up to 60 people wait in a room, and those behind hear that they moved."""


@waiting_room.command(refuses=(TooEarly, WrongState, TooMany), costs=MOVES)
async def enter(ctx: Context, ask: EnterRoom) -> PlaceView:
    """Enter the waiting room; you keep your place while one of your devices is connected."""
    await _forget_what_is_over(ctx)
    return await ctx.transact(places.enter, ask, ctx.leases.hold(ask.booking_id))


@waiting_room.command(costs=MOVES)
async def leave(ctx: Context, ask: LeaveRoom) -> Empty:
    """Leave the waiting room with this device; the place goes with your last device."""
    ctx.when_done.append(lambda: ctx.leases.drop(ask.booking_id))
    return await ctx.transact(places.leave, ask, ctx.leases.find(ask.booking_id))


@waiting_room.command(costs=Cost(reads=150))
async def get(ctx: Context, ask: GetStand) -> StandView:
    """Get your place in a waiting room, and what the consultant does."""
    return await ctx.read(places.get_stand, ask)


@waiting_room.command(costs=Cost(reads=150, writes=80))
async def queue(ctx: Context, ask: GetQueue) -> QueueView:
    """List the students who wait in one of your blocks, in order of arrival.

    During the hour, this also records that you came.
    """
    await ctx.transact(desk.note_desk, ask.block_id)
    return await ctx.read(desk.get_queue, ask)


@waiting_room.command(refuses=(WrongState, InCall), costs=MOVES)
async def admit(ctx: Context, ask: AdmitStudent) -> CallView:
    """Start the call with a waiting student."""
    return await ctx.transact(desk.admit, ask)


async def _forget_what_is_over(ctx: Context) -> None:
    """Places that are gone, by whomever, are no limit to a device that stays connected."""
    mine = await ctx.read(places.list_my_places)
    for booking_id in set(ctx.leases.subjects).difference(mine):
        ctx.leases.drop(booking_id)
