"""How long it is kept when people read, and words that messages no longer have."""

from datetime import datetime, timedelta

from handlers.platform.chat import chat
from storage.engine.database import Queries
from storage.platform.chat import marks as chat_marks
from storage.platform.chat import search as chat_search

AT_ONCE = timedelta(0)


@chat.forgets(kept="events_kept_days")
def forget_read_moments(tx: Queries, before: datetime, limit: int) -> int:
    """Forget when somebody read, with the events that told of it."""
    return chat_marks.forget_steps(tx, before=before, limit=limit)


@chat.forgets(kept=AT_ONCE)
def forget_words(tx: Queries, before: datetime, limit: int) -> int:
    """Purge the search index of words that messages no longer have."""
    return chat_search.forget_words(tx, limit)
