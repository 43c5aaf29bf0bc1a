"""The commands of /signup."""

from handlers.kit.context import Context
from handlers.platform.auth import public as accounts
from handlers.platform.auth.contracts import PasswordWeak, SessionView
from handlers.platform.pincodes.contracts import PINCODE_REFUSALS, PincodeSent
from handlers.platform.profile.contracts import EmailTaken
from handlers.platform.signup import service, signup
from handlers.platform.signup.contracts import CompleteSignup, StartSignup


@signup.command(visitors=True, rate="attempts", repeatable=False)
async def start(ctx: Context, ask: StartSignup) -> PincodeSent:
    """Send a pincode to an email address."""
    return await ctx.transact(service.start, ask)


@signup.command(
    visitors=True,
    rate="attempts",
    repeatable=False,
    refuses=(*PINCODE_REFUSALS, EmailTaken, PasswordWeak),
)
async def complete(ctx: Context, ask: CompleteSignup) -> SessionView:
    """Confirm the address with the pincode, and create the user."""
    about = (ask.email, ask.first_name, ask.last_name)
    accounts.check_strength(ask.password, ctx.kernel.rules, *about)
    password_hash = await accounts.hash_password(ask.password)
    return await ctx.transact(service.complete, ask, password_hash)
