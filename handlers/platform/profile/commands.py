"""The commands of /profile."""

from handlers.kit.context import Context
from handlers.kit.cost import Cost
from handlers.platform.profile import profile, service
from handlers.platform.profile.contracts import ListPeople, Me, PeopleView, UpdateProfile, UserView


@profile.command()
async def me(ctx: Context, ask: Me) -> UserView:
    """Get your own user."""
    return await ctx.read(service.get_me)


@profile.command()
async def update(ctx: Context, ask: UpdateProfile) -> UserView:
    """Change your name, language, time zone or settings."""
    return await ctx.transact(service.update_me, ask)


@profile.command(costs=Cost(reads=250, answer_kib=256))
async def people(ctx: Context, ask: ListPeople) -> PeopleView:
    """Get the names of users, for example to show them beside a booking or a message."""
    return await ctx.read(service.list_people, ask.user_ids)
