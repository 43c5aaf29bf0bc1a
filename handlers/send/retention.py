"""How long the records of what was sent are kept."""

from datetime import datetime

from handlers.send import send
from storage import send as store
from storage.engine import Queries


@send.forgets(kept="events_kept_days")
def forget_dispatches(tx: Queries, before: datetime, limit: int) -> int:
    """Forget what was sent or given up, with the events that told of it."""
    return store.forget_dispatches(tx, before, limit)
