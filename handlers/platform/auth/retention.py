"""How long sessions, their tokens and known devices are kept."""

from datetime import datetime

from handlers.platform.auth import auth
from storage.engine.database import Queries
from storage.platform.auth import known_devices
from storage.platform.auth import sessions as store


@auth.forgets(kept="devices_known_days")
def forget_devices(tx: Queries, before: datetime, limit: int) -> int:
    """Forget devices that nobody used for long; they count as strangers' again."""
    return known_devices.forget_devices(tx, before, limit)


@auth.forgets(kept="refresh_token_life_days")
def forget_spent_tokens(tx: Queries, before: datetime, limit: int) -> int:
    """Forget spent refresh tokens once they have expired: who brings one before is a thief."""
    return store.forget_spent_tokens(tx, before, limit)


@auth.forgets(kept="sessions_kept_days")
def forget_ended_tokens(tx: Queries, before: datetime, limit: int) -> int:
    """Forget the tokens of ended sessions, which refer to the sessions."""
    return store.forget_ended_tokens(tx, before, limit)


@auth.forgets(kept="sessions_kept_days")
def forget_ended_sessions(tx: Queries, before: datetime, limit: int) -> int:
    """Forget ended sessions; until then one sees from where somebody signed in."""
    return store.forget_ended_sessions(tx, before, limit)
