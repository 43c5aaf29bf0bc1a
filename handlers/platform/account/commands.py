"""The commands in /profile that change the user's own account."""

from msgspec import UNSET

from handlers.kit.context import Context
from handlers.kit.contract import Empty
from handlers.kit.cost import Cost
from handlers.kit.errors import Invalid
from handlers.platform.account import account, service
from handlers.platform.account.contracts import (
    ChangeEmail,
    ConfirmEmail,
    ProofView,
    Prove,
    RemovePassword,
    SendProof,
    SetPassword,
    SetPicture,
)
from handlers.platform.auth import public as accounts
from handlers.platform.auth.contracts import CredentialsWrong, PasswordWeak, ProofNeeded
from handlers.platform.identities.contracts import (
    IdentityTaken,
    LastMethod,
    SignInMethods,
    TicketInvalid,
)
from handlers.platform.pincodes.contracts import PINCODE_REFUSALS, PincodeSent
from handlers.platform.profile.contracts import EmailTaken, UserView

ENDS_SESSIONS = Cost(reads=900, writes=1_700, kept_kib=128)
"""A user has up to 200 sessions, and each one that ends publishes an event."""


@account.command(namespace="/profile", rate="attempts", repeatable=False)
async def send_proof(ctx: Context, ask: SendProof) -> PincodeSent:
    """Send a pincode to your own address, for `prove` or `set_password`."""
    return await ctx.transact(service.send_proof)


@account.command(
    namespace="/profile",
    rate="attempts",
    repeatable=False,
    refuses=(CredentialsWrong, TicketInvalid, IdentityTaken, *PINCODE_REFUSALS),
)
async def prove(ctx: Context, ask: Prove) -> ProofView:
    """Prove your identity again: by password, pincode, or a fresh ticket of a provider."""
    proved = await prove_password(ctx, ask)
    return await ctx.transact(service.prove, ask, proved)


@account.command(
    namespace="/profile",
    rate="attempts",
    refuses=(PasswordWeak, *PINCODE_REFUSALS),
    costs=ENDS_SESSIONS,
)
async def set_password(ctx: Context, ask: SetPassword) -> Empty:
    """Set a password with a pincode from `send_proof`; this ends all your other sessions."""
    await ctx.read(accounts.require_strong, ask.new_password)
    new_hash = await accounts.hash_password(ask.new_password)
    return await ctx.transact(service.set_password, ask, new_hash)


@account.command(namespace="/profile", refuses=(ProofNeeded, LastMethod), costs=ENDS_SESSIONS)
async def remove_password(ctx: Context, ask: RemovePassword) -> SignInMethods:
    """Remove your password; requires a fresh proof and another sign-in method."""
    return await ctx.transact(service.remove_password)


@account.command(namespace="/profile", rate="attempts", refuses=(ProofNeeded,))
async def change_email(ctx: Context, ask: ChangeEmail) -> PincodeSent:
    """Send pincodes to your current and your new address; requires a fresh proof."""
    return await ctx.transact(service.change_email, ask.email)


@account.command(
    namespace="/profile",
    rate="attempts",
    refuses=(EmailTaken, *PINCODE_REFUSALS),
    costs=ENDS_SESSIONS,
)
async def confirm_email(ctx: Context, ask: ConfirmEmail) -> UserView:
    """Change your address with the pincodes of both; this ends all your other sessions."""
    return await ctx.transact(service.confirm_email, ask)


@account.command(namespace="/profile")
async def set_picture(ctx: Context, ask: SetPicture) -> UserView:
    """Set an uploaded image as your picture, or remove your picture."""
    return await ctx.transact(service.set_picture, ask.upload_id)


async def prove_password(ctx: Context, ask: Prove) -> str | None:
    """The stored hash if the given password matches it, else None.

    Raises Invalid unless the request has exactly one proof.
    """
    if sum(proof is not UNSET for proof in (ask.password, ask.pincode, ask.ticket)) != 1:
        raise Invalid(details={"path": "$", "expected": "one of password, pincode and ticket"})
    if ask.password is UNSET:
        return None
    stored = await ctx.read(accounts.get_password_hash)
    return stored if await accounts.verify_password(stored, ask.password) else None
