"""How long sign-ins that nobody completed are kept."""

from datetime import datetime, timedelta

from handlers.platform.identities import identities
from storage.engine.database import Queries
from storage.platform import identities as store

EXPIRED = timedelta(0)


@identities.forgets(kept=EXPIRED)
def forget_attempts(tx: Queries, before: datetime, limit: int) -> int:
    """Forget sign-ins that were begun with a provider and expired."""
    return store.forget_attempts(tx, before, limit)


@identities.forgets(kept=EXPIRED)
def forget_tickets(tx: Queries, before: datetime, limit: int) -> int:
    """Forget tickets that expired."""
    return store.forget_tickets(tx, before, limit)
