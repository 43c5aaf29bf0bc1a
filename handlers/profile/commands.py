"""The doors of /profile."""

from handlers.kit.context import Context
from handlers.profile import profile, service
from handlers.profile.contracts import Me, UpdateProfile, UserView


@profile.command()
async def me(ctx: Context, ask: Me) -> UserView:
    """Your own user."""
    return await ctx.read(service.get_me)


@profile.command()
async def update(ctx: Context, ask: UpdateProfile) -> UserView:
    """Change your name, language, zone or settings."""
    return await ctx.transact(service.update_me, ask)
