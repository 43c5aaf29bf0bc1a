"""Retention of taken time."""

from datetime import datetime, timedelta

from handlers.consulting.availability import availability
from storage.consulting.availability import busy, open_hours
from storage.engine.database import Queries


@availability.forgets(kept=timedelta(days=1))
def forget_past_time(tx: Queries, before: datetime, limit: int) -> int:
    """Delete quarters of an hour that are past; they can overlap nothing any more."""
    return busy.forget_time(tx, before, limit)


@availability.forgets(kept=timedelta(days=2))
def forget_past_hours(tx: Queries, before: datetime, limit: int) -> int:
    """Delete half days that are past; their blocks can overlap nothing any more."""
    return open_hours.forget_hours(tx, before, limit)
