"""How long the records of dispatches are kept."""

from datetime import datetime

from handlers.platform.send import send
from storage.engine.database import Queries
from storage.platform import send as store


@send.forgets(kept="mails_kept_days")
def forget_dispatches(tx: Queries, before: datetime, limit: int) -> int:
    """Delete dispatches that ended. Waiting ones expire after the same time."""
    return store.forget_dispatches(tx, before, limit)
