"""Retention of incomplete sign-ins."""

from datetime import datetime, timedelta

from handlers.platform.identities import identities
from storage.engine.database import Queries
from storage.platform import identities as store

EXPIRED = timedelta(0)


@identities.forgets(kept=EXPIRED)
def forget_attempts(tx: Queries, before: datetime, limit: int) -> int:
    """Delete expired attempts to sign in with a provider."""
    return store.forget_attempts(tx, before, limit)


@identities.forgets(kept=EXPIRED)
def forget_tickets(tx: Queries, before: datetime, limit: int) -> int:
    """Delete expired tickets."""
    return store.forget_tickets(tx, before, limit)
