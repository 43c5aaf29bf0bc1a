"""The commands of /booking."""

from handlers.consulting.availability.contracts.blocks import BlockFull, BlockPast, OwnBlock
from handlers.consulting.availability.contracts.terms import DeadlinePassed, TooFarAhead
from handlers.consulting.booking import booking, cards
from handlers.consulting.booking.contracts import (
    AnswerBooking,
    BookingPage,
    BookingView,
    GetBooking,
    GetHistory,
    HistoryView,
    ListBookings,
    NotAvailable,
    Overlaps,
    ReopenCall,
    RequestBooking,
    RequestBookingInChat,
    RequestNow,
    RescheduleBooking,
    TooManyOpenRequests,
    TopicNotOffered,
    WrongState,
)
from handlers.consulting.booking.service import answers, hours, lists, requests
from handlers.consulting.call.contracts import CallView, InCall
from handlers.kit.context import Context
from handlers.kit.cost import Cost
from handlers.kit.filter import TextRefused
from handlers.platform.chat.contracts.personal import Blocked
from handlers.platform.personal_data.contracts import DeletionPlanned

CHANGE = Cost(reads=900, writes=150)
"""A booking that is made or changed moves holds, timers, and offers to those on waiting lists."""
REQUESTS = (
    BlockFull,
    BlockPast,
    TopicNotOffered,
    Overlaps,
    OwnBlock,
    DeadlinePassed,
    TooFarAhead,
    TooManyOpenRequests,
    Blocked,
    DeletionPlanned,
)
PAGE = Cost(reads=150, answer_kib=1_300)


@booking.command(
    refuses=REQUESTS,
    rate="contact",
    costs=CHANGE,
)
async def request(ctx: Context, ask: RequestBooking) -> BookingView:
    """Request a booking in a consultant's block; the place is held until the answer."""
    return await ctx.transact(requests.request_booking, ask)


@booking.command(
    namespace="/chat",
    refuses=(*REQUESTS, TextRefused),
    rate="contact",
    costs=CHANGE,
)
async def request_booking(ctx: Context, ask: RequestBookingInChat) -> BookingView:
    """Request a booking inside a conversation, which shows its current state as a card."""
    return await ctx.transact(cards.request_in_chat, ask)


@booking.command(
    refuses=(
        NotAvailable,
        TopicNotOffered,
        Overlaps,
        OwnBlock,
        TooManyOpenRequests,
        Blocked,
        DeletionPlanned,
    ),
    rate="contact",
    costs=CHANGE,
)
async def request_now(ctx: Context, ask: RequestNow) -> BookingView:
    """Request an immediate call with a consultant who is available now."""
    return await ctx.transact(requests.request_now, ask)


@booking.command(roles=("consultant",), refuses=(WrongState, InCall), costs=CHANGE)
async def approve(ctx: Context, ask: AnswerBooking) -> BookingView:
    """Approve a request."""
    return await ctx.transact(answers.approve, ask)


@booking.command(roles=("consultant",), refuses=(WrongState,), costs=CHANGE)
async def reject(ctx: Context, ask: AnswerBooking) -> BookingView:
    """Reject a request and free its place."""
    return await ctx.transact(answers.reject, ask)


@booking.command(refuses=(WrongState,), costs=CHANGE)
async def cancel(ctx: Context, ask: AnswerBooking) -> BookingView:
    """Cancel a booking, as either side, and free its place."""
    return await ctx.transact(answers.cancel, ask)


@booking.command(
    refuses=(BlockFull, BlockPast, Overlaps, DeadlinePassed, TooFarAhead, Blocked, WrongState),
    costs=CHANGE,
)
async def reschedule(ctx: Context, ask: RescheduleBooking) -> BookingView:
    """Move a booking to another block of the same consultant; its status stays the same."""
    return await ctx.transact(answers.reschedule, ask)


@booking.command()
async def get(ctx: Context, ask: GetBooking) -> BookingView:
    """Get one of your bookings."""
    return await ctx.read(lists.get_booking, ask.booking_id)


@booking.command(name="list", costs=PAGE)
async def list_bookings(ctx: Context, ask: ListBookings) -> BookingPage:
    """List your bookings in either role, newest first, or one part of them by the hour."""
    return await ctx.read(lists.list_bookings, ask)


@booking.command(costs=Cost(reads=250, answer_kib=1_100))
async def history(ctx: Context, ask: GetHistory) -> HistoryView:
    """Get the changes of one of your bookings: who made them, when, and why."""
    return await ctx.read(lists.get_history, ask.booking_id)


@booking.command(refuses=(WrongState, InCall), costs=CHANGE)
async def reopen_call(ctx: Context, ask: ReopenCall) -> CallView:
    """Open the call of an approved booking again after it was lost or left, as either side."""
    return await ctx.transact(hours.reopen_call, ask)
