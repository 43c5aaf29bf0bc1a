"""The doors of /auth, and the one to a new password in /profile."""

from handlers.auth import auth, service
from handlers.auth.contracts import (
    ChangePassword,
    CredentialsWrong,
    Login,
    Logout,
    PasswordWeak,
    Refresh,
    RefreshReused,
    SessionRevoked,
    SessionView,
    TokenInvalid,
)
from handlers.auth.passwords import check_strength, hash_password, verify_password
from handlers.kit.context import Context
from handlers.kit.contract import Empty


@auth.command(visitors=True, rate="attempts", refuses=(CredentialsWrong,))
async def login(ctx: Context, ask: Login) -> SessionView:
    """Sign in with address and password; unknown and known accounts answer alike."""
    user_id, password_hash = await ctx.read(service.find_login, ask.email) or (None, None)
    right = await verify_password(password_hash, ask.password)
    return await ctx.transact(service.log_in, ask.email, user_id, password_hash if right else None)


@auth.command(visitors=True, refuses=(RefreshReused, TokenInvalid, SessionRevoked))
async def refresh(ctx: Context, ask: Refresh) -> SessionView:
    """Spend a refresh token for a new pair of tokens."""
    return await ctx.transact(service.refresh, ask.refresh_token)


@auth.command(visitors=True, refuses=(TokenInvalid,))
async def logout(ctx: Context, ask: Logout) -> Empty:
    """End the session of a refresh token, on all its connections."""
    return await ctx.transact(service.log_out, ask.refresh_token)


@auth.command(namespace="/profile", rate="attempts", refuses=(CredentialsWrong, PasswordWeak))
async def change_password(ctx: Context, ask: ChangePassword) -> Empty:
    """Set a new password; every other session ends."""
    check_strength(ask.new_password, ctx.kernel.rules.password_length_min)
    current = await ctx.read(service.get_password_hash)
    right = await verify_password(current, ask.current_password)
    new_hash = await hash_password(ask.new_password) if right else None
    return await ctx.transact(service.change_password, current, new_hash)
