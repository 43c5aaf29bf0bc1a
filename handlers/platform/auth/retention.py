"""Retention of sessions, their tokens and known devices."""

from datetime import datetime

from handlers.platform.auth import auth
from storage.engine.database import Queries
from storage.platform.auth import known_devices
from storage.platform.auth import sessions as store


@auth.forgets(kept="devices_known_days")
def forget_devices(tx: Queries, before: datetime, limit: int) -> int:
    """Delete devices that have not been used for long; they become unknown devices again."""
    return known_devices.forget_devices(tx, before, limit)


@auth.forgets(kept="refresh_token_life_days")
def forget_spent_tokens(tx: Queries, before: datetime, limit: int) -> int:
    """Delete spent refresh tokens once they expire. Until then, their reuse reveals a theft."""
    return store.forget_spent_tokens(tx, before, limit)


@auth.forgets(kept="sessions_kept_days")
def forget_ended_tokens(tx: Queries, before: datetime, limit: int) -> int:
    """Delete the tokens of ended sessions; their rows refer to the sessions."""
    return store.forget_ended_tokens(tx, before, limit)


@auth.forgets(kept="sessions_kept_days")
def forget_ended_sessions(tx: Queries, before: datetime, limit: int) -> int:
    """Delete ended sessions. Until then, an export shows where the user was signed in."""
    return store.forget_ended_sessions(tx, before, limit)
