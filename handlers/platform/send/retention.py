"""How long the records of what was sent are kept."""

from datetime import datetime

from handlers.platform.send import send
from storage.engine.database import Queries
from storage.platform import send as store


@send.forgets(kept="events_kept_days")
def forget_dispatches(tx: Queries, before: datetime, limit: int) -> int:
    """Forget what was sent or given up, with the events that told of it."""
    return store.forget_dispatches(tx, before, limit)
