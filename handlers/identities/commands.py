"""The doors to and from other houses, in /auth and /profile."""

from msgspec import UNSET

from handlers.auth import public as accounts
from handlers.auth.contracts import CredentialsWrong, ProofNeeded, SessionView
from handlers.identities import identities, service
from handlers.identities.contracts import (
    EmailNeeded,
    IdentityTaken,
    LastMethod,
    Link,
    ListMethods,
    ListProviders,
    OAuth,
    ProofView,
    Prove,
    ProvidersView,
    ProviderView,
    RemovePassword,
    SendProof,
    SignInMethods,
    TicketInvalid,
    TooManyMethods,
    Unlink,
)
from handlers.kit.context import Context
from handlers.kit.errors import Invalid
from handlers.pincodes.contracts import PINCODE_REFUSALS, PincodeSent
from handlers.profile.contracts import EmailTaken


@identities.command(namespace="/auth", visitors=True)
async def providers(ctx: Context, ask: ListProviders) -> ProvidersView:
    """The providers that are set up here."""
    houses = ctx.kernel.providers.list()
    return ProvidersView(providers=[ProviderView(name=h.name, title=h.title) for h in houses])


@identities.command(
    namespace="/auth",
    visitors=True,
    rate="attempts",
    refuses=(TicketInvalid, EmailNeeded, EmailTaken, *PINCODE_REFUSALS),
)
async def oauth(ctx: Context, ask: OAuth) -> SessionView:
    """Turn the ticket of a provider's callback into a session; a stranger becomes a user."""
    return await ctx.transact(service.sign_in, ask)


@identities.command(namespace="/profile")
async def sign_in_methods(ctx: Context, ask: ListMethods) -> SignInMethods:
    """The ways in which you can sign in."""
    return await ctx.read(service.list_methods, ctx.kernel.providers)


@identities.command(
    namespace="/profile", refuses=(TicketInvalid, ProofNeeded, IdentityTaken, TooManyMethods)
)
async def link(ctx: Context, ask: Link) -> SignInMethods:
    """Sign in by a provider from now on too; needs a fresh proof."""
    return await ctx.transact(service.link, ask, ctx.kernel.providers)


@identities.command(namespace="/profile", refuses=(ProofNeeded, LastMethod))
async def unlink(ctx: Context, ask: Unlink) -> SignInMethods:
    """Sign in by a provider no more; needs a fresh proof, and another way in must be left."""
    return await ctx.transact(service.unlink, ask.identity_id, ctx.kernel.providers)


@identities.command(namespace="/profile", refuses=(ProofNeeded, LastMethod))
async def remove_password(ctx: Context, ask: RemovePassword) -> SignInMethods:
    """Sign in by password no more; needs a fresh proof, and another way in must be left."""
    return await ctx.transact(service.remove_password, ctx.kernel.providers)


@identities.command(namespace="/profile", rate="attempts")
async def send_proof(ctx: Context, ask: SendProof) -> PincodeSent:
    """Have a pincode mailed to yourself, for `prove`."""
    return await ctx.transact(service.send_proof)


@identities.command(
    namespace="/profile",
    rate="attempts",
    refuses=(CredentialsWrong, TicketInvalid, IdentityTaken, *PINCODE_REFUSALS),
)
async def prove(ctx: Context, ask: Prove) -> ProofView:
    """Prove anew that it is you: by password, pincode, or a provider's fresh ticket."""
    proved = await prove_password(ctx, ask)
    return await ctx.transact(service.prove, ask, proved)


async def prove_password(ctx: Context, ask: Prove) -> str | None:
    """The hash that the password proved right for; raises Invalid unless one proof is given."""
    if sum(proof is not UNSET for proof in (ask.password, ask.pincode, ask.ticket)) != 1:
        raise Invalid(details={"path": "$", "expected": "one of password, pincode and ticket"})
    if ask.password is UNSET:
        return None
    stored = await ctx.read(accounts.get_password_hash)
    return stored if await accounts.verify_password(stored, ask.password) else None
