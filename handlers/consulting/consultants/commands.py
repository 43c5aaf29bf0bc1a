"""The commands of /consultants."""

from functools import partial

from handlers.consulting.consultants import consultants, service
from handlers.consulting.consultants.contracts import (
    AddTopic,
    AlreadyConsultant,
    BecomeConsultant,
    ConsultantPage,
    ConsultantView,
    GetConsultant,
    ListConsultants,
    NotAConsultant,
    RemoveTopic,
    StopConsulting,
    TopicView,
    UnwatchConsultant,
    UpdateConsultant,
    UpdateTopic,
    WatchConsultant,
    WatchedConsultantView,
    consultant_room,
)
from handlers.kit.context import Context
from handlers.kit.contract import Empty
from handlers.kit.cost import Cost

NAMESPACE = "/consultants"

CONSULTANT = Cost(kept_kib=5_200, answer_kib=1_700)
"""Each view and event of a consultant has all of up to 50 topics."""


@consultants.command(refuses=(AlreadyConsultant,), costs=CONSULTANT)
async def become(ctx: Context, ask: BecomeConsultant) -> ConsultantView:
    """Become a consultant, or become one again."""
    return await ctx.transact(service.become, ask)


@consultants.command(refuses=(NotAConsultant,), costs=CONSULTANT)
async def update(ctx: Context, ask: UpdateConsultant) -> ConsultantView:
    """Change your profile as a consultant."""
    return await ctx.transact(service.update, ask)


@consultants.command(refuses=(NotAConsultant,), costs=CONSULTANT)
async def stop(ctx: Context, ask: StopConsulting) -> ConsultantView:
    """Stop taking bookings; existing bookings stay."""
    return await ctx.transact(service.stop)


@consultants.command(visitors=True, costs=CONSULTANT)
async def get(ctx: Context, ask: GetConsultant) -> ConsultantView:
    """Get a consultant and their topics."""
    return await ctx.read(service.get_consultant, ask.consultant_id)


@consultants.command(visitors=True, costs=CONSULTANT, watches=consultant_room)
async def watch(ctx: Context, ask: WatchConsultant) -> WatchedConsultantView:
    """Get a consultant, and subscribe to changes of their profile and topics."""
    room = consultant_room(ask.consultant_id)
    return await ctx.rooms.follow(
        NAMESPACE, room, partial(ctx.read, service.get_watched, ask.consultant_id)
    )


@consultants.command(visitors=True)
async def unwatch(ctx: Context, ask: UnwatchConsultant) -> Empty:
    """Unsubscribe from a consultant's changes."""
    ctx.rooms.unfollow(NAMESPACE, consultant_room(ask.consultant_id))
    return Empty()


@consultants.command(name="list", visitors=True, costs=Cost(reads=1_500, answer_kib=1_700))
async def list_consultants(ctx: Context, ask: ListConsultants) -> ConsultantPage:
    """List active consultants, the newest first."""
    return await ctx.read(service.list_consultants, ask)


@consultants.command(refuses=(NotAConsultant,))
async def add_topic(ctx: Context, ask: AddTopic) -> TopicView:
    """Offer a topic."""
    return await ctx.transact(service.add_topic, ask)


@consultants.command(refuses=(NotAConsultant,))
async def update_topic(ctx: Context, ask: UpdateTopic) -> TopicView:
    """Change a topic; existing bookings keep their rate."""
    return await ctx.transact(service.update_topic, ask)


@consultants.command(refuses=(NotAConsultant,))
async def remove_topic(ctx: Context, ask: RemoveTopic) -> Empty:
    """Stop offering a topic."""
    return await ctx.transact(service.remove_topic, ask)
