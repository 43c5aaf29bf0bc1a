"""Retention of taken time."""

from datetime import datetime, timedelta

from handlers.consulting.availability import availability
from storage.consulting.availability import busy
from storage.engine.database import Queries


@availability.forgets(kept=timedelta(days=1))
def forget_past_time(tx: Queries, before: datetime, limit: int) -> int:
    """Delete quarters of an hour that are past; they can overlap nothing any more."""
    return busy.forget_time(tx, before, limit)
