"""Retention of read times, and upkeep of the search index."""

from datetime import datetime, timedelta

from handlers.platform.chat import chat
from storage.engine.database import Queries
from storage.platform.chat import marks as chat_marks
from storage.platform.chat import search as chat_search

IMMEDIATELY = timedelta(0)


@chat.forgets(kept="events_kept_days")
def forget_read_moments(tx: Queries, before: datetime, limit: int) -> int:
    """Delete the times of read and delivery marks together with the events that published them."""
    return chat_marks.forget_steps(tx, before=before, limit=limit)


@chat.forgets(kept=IMMEDIATELY)
def forget_waiting(tx: Queries, before: datetime, limit: int) -> int:
    """Index messages that wait for it: those that were written before the index."""
    return chat_search.catch_up(tx, limit)


@chat.forgets(kept=IMMEDIATELY)
def forget_words(tx: Queries, before: datetime, limit: int) -> int:
    """Purge the search index of words that no message contains any more."""
    return chat_search.forget_words(tx, limit)
