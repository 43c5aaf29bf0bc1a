"""The commands in /auth and /profile for sign-in with providers."""

from handlers.kit.context import Context
from handlers.platform.auth.contracts import ProofNeeded, SessionView
from handlers.platform.identities import identities, service
from handlers.platform.identities.contracts import (
    EmailNeeded,
    IdentityTaken,
    LastMethod,
    Link,
    ListMethods,
    ListProviders,
    OAuth,
    ProvidersView,
    ProviderView,
    SignInMethods,
    TicketInvalid,
    TooManyMethods,
    Unlink,
)
from handlers.platform.pincodes.contracts import PINCODE_REFUSALS
from handlers.platform.profile.contracts import EmailTaken


@identities.command(namespace="/auth", visitors=True)
async def providers(ctx: Context, ask: ListProviders) -> ProvidersView:
    """List the providers that this server is configured for."""
    providers = ctx.kernel.providers.list()
    return ProvidersView(providers=[ProviderView(name=h.name, title=h.title) for h in providers])


@identities.command(
    namespace="/auth",
    visitors=True,
    rate="attempts",
    repeatable=False,
    refuses=(TicketInvalid, EmailNeeded, EmailTaken, *PINCODE_REFUSALS),
)
async def oauth(ctx: Context, ask: OAuth) -> SessionView:
    """Sign in with the ticket from a provider's callback; creates the user if needed."""
    return await ctx.transact(service.sign_in, ask)


@identities.command(namespace="/profile")
async def sign_in_methods(ctx: Context, ask: ListMethods) -> SignInMethods:
    """List your sign-in methods."""
    return await ctx.read(service.list_methods)


@identities.command(
    namespace="/profile", refuses=(TicketInvalid, ProofNeeded, IdentityTaken, TooManyMethods)
)
async def link(ctx: Context, ask: Link) -> SignInMethods:
    """Add a provider as a sign-in method; requires a fresh proof."""
    return await ctx.transact(service.link, ask)


@identities.command(namespace="/profile", refuses=(ProofNeeded, LastMethod))
async def unlink(ctx: Context, ask: Unlink) -> SignInMethods:
    """Remove a provider as a sign-in method; requires a fresh proof and another method."""
    return await ctx.transact(service.unlink, ask.identity_id)
