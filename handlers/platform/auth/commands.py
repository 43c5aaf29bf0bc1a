"""The commands of /auth, and the commands in /profile for the user's own password and sessions."""

from handlers.kit.context import Context
from handlers.kit.contract import Empty
from handlers.kit.cost import Cost
from handlers.platform.auth import auth
from handlers.platform.auth.contracts import (
    ChangePassword,
    CredentialsWrong,
    EndOtherSessions,
    EndSession,
    ForgiveGuesses,
    Forgot,
    ListSessions,
    Login,
    Logout,
    PasswordWeak,
    Refresh,
    RefreshReused,
    Reset,
    SessionList,
    SessionRevoked,
    SessionView,
    TokenInvalid,
)
from handlers.platform.auth.passwords import hash_password, renewed_hash, verify_password
from handlers.platform.auth.service import guesses, passwords, sessions
from handlers.platform.auth.strength import check_strength
from handlers.platform.pincodes.contracts import PINCODE_REFUSALS, PincodeSent

ENDS_SESSIONS = Cost(reads=900, writes=1_700, kept_kib=128)
"""A user has up to 200 sessions, and each one that ends publishes an event."""


@auth.command(visitors=True, rate="attempts", repeatable=False, refuses=(CredentialsWrong,))
async def login(ctx: Context, ask: Login) -> SessionView:
    """Sign in with address and password; the refusal is the same for unknown addresses.

    After many wrong passwords for an account, unknown devices have to wait (RATE_LIMITED).
    """
    account = await ctx.read(passwords.find_login, ask)
    right = await verify_password(account.password_hash, ask.password)
    renewed = await renewed_hash(account.password_hash, ask.password) if right else None
    return await ctx.transact(passwords.log_in, ask, account, right, renewed)


@auth.command(visitors=True, refuses=(RefreshReused, TokenInvalid, SessionRevoked))
async def refresh(ctx: Context, ask: Refresh) -> SessionView:
    """Exchange a refresh token for a new pair of tokens."""
    return await ctx.transact(sessions.refresh, ask.refresh_token)


@auth.command(visitors=True, refuses=(TokenInvalid,))
async def logout(ctx: Context, ask: Logout) -> Empty:
    """End the session of a refresh token, and all its connections."""
    return await ctx.transact(sessions.log_out, ask.refresh_token)


@auth.command(visitors=True, rate="attempts", repeatable=False)
async def forgot(ctx: Context, ask: Forgot) -> PincodeSent:
    """Send a pincode to reset a password; the answer is the same for unknown addresses."""
    return await ctx.transact(passwords.forgot, ask)


@auth.command(
    visitors=True,
    rate="attempts",
    repeatable=False,
    refuses=(*PINCODE_REFUSALS, PasswordWeak),
    costs=ENDS_SESSIONS,
)
async def reset(ctx: Context, ask: Reset) -> SessionView:
    """Set a new password with a pincode from `forgot`; this ends all earlier sessions."""
    check_strength(ask.new_password, ctx.kernel.rules, ask.email)
    new_hash = await hash_password(ask.new_password)
    return await ctx.transact(passwords.reset, ask, new_hash)


@auth.command(
    namespace="/profile",
    rate="attempts",
    refuses=(CredentialsWrong, PasswordWeak),
    costs=ENDS_SESSIONS,
)
async def change_password(ctx: Context, ask: ChangePassword) -> Empty:
    """Change your password; this ends all your other sessions."""
    await ctx.read(passwords.require_strong, ask.new_password)
    current = await ctx.read(passwords.get_password_hash)
    right = await verify_password(current, ask.current_password)
    new_hash = await hash_password(ask.new_password) if right else None
    return await ctx.transact(passwords.change_password, current, new_hash)


@auth.command(namespace="/profile", name="sessions", costs=Cost(reads=250, answer_kib=256))
async def list_sessions(ctx: Context, ask: ListSessions) -> SessionList:
    """List your sessions."""
    return await ctx.read(sessions.list_sessions)


@auth.command(namespace="/profile", rate="attempts")
async def forgive_guesses(ctx: Context, ask: ForgiveGuesses) -> Empty:
    """Let unknown devices sign in without waiting for wrong passwords; up to three times a day."""
    return await ctx.transact(guesses.forgive)


@auth.command(namespace="/profile")
async def end_session(ctx: Context, ask: EndSession) -> Empty:
    """End one of your sessions."""
    return await ctx.transact(sessions.end_one, ask.session_id)


@auth.command(namespace="/profile", costs=ENDS_SESSIONS)
async def end_other_sessions(ctx: Context, ask: EndOtherSessions) -> Empty:
    """End all your sessions except this one."""
    return await ctx.transact(sessions.end_others)
