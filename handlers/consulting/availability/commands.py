"""The commands of /availability."""

from functools import partial

from handlers.consulting.availability import availability
from handlers.consulting.availability.contracts.blocks import (
    AvailabilityStatus,
    AvailableNowView,
    BlockPast,
    BlocksView,
    CheckAvailability,
    ClearOverride,
    GetAvailableNow,
    GetSchedule,
    ListBlocks,
    ListedBlocksView,
    OverrideWeek,
    OwnAvailableNowView,
    OwnBlock,
    ScheduleView,
    SetAvailableNow,
    SetDefaultSchedule,
    UnwatchBlocks,
    WatchBlocks,
    WatchedNowView,
)
from handlers.consulting.availability.contracts.terms import (
    DeadlinePassed,
    GetTerms,
    SetTerms,
    TermsView,
)
from handlers.consulting.availability.contracts.waiting_lists import (
    AlreadyHolds,
    BlockNotFull,
    JoinWaitingList,
    LeaveWaitingList,
    ListWaits,
    PositionView,
    WaitsView,
)
from handlers.consulting.availability.service import lists, now, places, terms, weeks
from handlers.consulting.consultants.contracts import consultant_room
from handlers.kit.context import Context
from handlers.kit.contract import Empty
from handlers.kit.cost import Cost
from handlers.kit.errors import TooMany
from handlers.platform.chat.contracts.personal import Blocked
from handlers.platform.personal_data.contracts import DeletionPlanned

NAMESPACE = "/availability"
CONSULTANT = ("consultant",)

WEEKS = Cost(reads=60_000, writes=30_000, kept_kib=4_800, answer_kib=1_200)
"""All hours of the 27 weeks that may be made ahead, and of a year of overrides in another zone."""
WEEK = Cost(reads=25_000, writes=15_000, kept_kib=2_100, answer_kib=512)
"""All hours of a week, with all the bookings that may be in them."""
BLOCKS = Cost(reads=12_000, answer_kib=820)
"""All blocks of three months, with the taken quarters of their consultant."""
LISTS = Cost(reads=450, writes=60)
"""Everybody on a waiting list is looked at when a place is offered."""


@availability.command(roles=CONSULTANT, costs=WEEKS)
async def set_default_schedule(ctx: Context, ask: SetDefaultSchedule) -> BlocksView:
    """Set your default week; answers the blocks of the coming weeks.

    A block with bookings stays, with its places, until those bookings have ended.
    """
    return await ctx.transact(weeks.set_default, ask)


@availability.command(roles=CONSULTANT, costs=WEEK)
async def override_week(ctx: Context, ask: OverrideWeek) -> BlocksView:
    """Set the hours of one week; CONFLICT lists the bookings that would be cancelled."""
    return await ctx.transact(weeks.override, ask)


@availability.command(roles=CONSULTANT, costs=WEEK)
async def clear_override(ctx: Context, ask: ClearOverride) -> BlocksView:
    """Remove the override of one week, so that the default week applies again."""
    return await ctx.transact(weeks.clear, ask)


@availability.command(roles=CONSULTANT, costs=Cost(reads=100, answer_kib=640))
async def get_schedule(ctx: Context, ask: GetSchedule) -> ScheduleView:
    """Get your default week and your overrides."""
    return await ctx.read(weeks.get_schedule)


@availability.command(roles=CONSULTANT)
async def set_terms(ctx: Context, ask: SetTerms) -> TermsView:
    """Set the terms for new bookings; existing bookings keep theirs."""
    return await ctx.transact(terms.set_terms, ask)


@availability.command(visitors=True)
async def get_terms(ctx: Context, ask: GetTerms) -> TermsView:
    """Get the terms under which a consultant takes bookings."""
    return await ctx.read(terms.get_public_terms, ask)


@availability.command(roles=CONSULTANT)
async def set_available_now(ctx: Context, ask: SetAvailableNow) -> AvailableNowView:
    """Turn "available now" on or off.

    A call, an unanswered request, and the loss of your last device turn it off. It comes back after
    a call with `back_after_call`, and with your next device with `back_when_online`.
    """
    return await ctx.transact(now.set_available_now, ask)


@availability.command(roles=CONSULTANT)
async def get_available_now(ctx: Context, ask: GetAvailableNow) -> OwnAvailableNowView:
    """Get your status "available now", and when it comes back by itself."""
    return await ctx.read(now.get_available_now)


@availability.command(visitors=True, costs=BLOCKS)
async def list_blocks(ctx: Context, ask: ListBlocks) -> ListedBlocksView:
    """List the blocks that end after `from` and start before `to`."""
    return await ctx.read(places.list_blocks, ask)


@availability.command(visitors=True)
async def check(ctx: Context, ask: CheckAvailability) -> AvailabilityStatus:
    """Check whether a consultant has a free place at a given time."""
    return await ctx.read(places.check, ask)


@availability.command(visitors=True, watches=consultant_room)
async def watch(ctx: Context, ask: WatchBlocks) -> WatchedNowView:
    """Get whether a consultant is available now, and subscribe to changes of their blocks."""
    room = consultant_room(ask.consultant_id)
    return await ctx.rooms.follow(
        NAMESPACE, room, partial(ctx.read, now.get_watched, ask.consultant_id)
    )


@availability.command(visitors=True)
async def unwatch(ctx: Context, ask: UnwatchBlocks) -> Empty:
    """Unsubscribe from changes of a consultant's blocks."""
    ctx.rooms.unfollow(NAMESPACE, consultant_room(ask.consultant_id))
    return Empty()


@availability.command(
    refuses=(
        BlockPast,
        BlockNotFull,
        OwnBlock,
        AlreadyHolds,
        DeadlinePassed,
        TooMany,
        Blocked,
        DeletionPlanned,
    ),
    costs=LISTS,
)
async def join_waiting_list(ctx: Context, ask: JoinWaitingList) -> PositionView:
    """Join the waiting list of a full block."""
    return await ctx.transact(lists.join, ask)


@availability.command(costs=LISTS)
async def leave_waiting_list(ctx: Context, ask: LeaveWaitingList) -> Empty:
    """Leave a waiting list; this also declines an offered place."""
    return await ctx.transact(lists.leave, ask)


@availability.command(costs=Cost(reads=350))
async def waits(ctx: Context, ask: ListWaits) -> WaitsView:
    """List the waiting lists that you are on, with your positions and offers."""
    return await ctx.read(lists.list_waits)
