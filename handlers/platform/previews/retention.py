"""How long fetched pages are kept."""

from datetime import datetime, timedelta

from handlers.platform.previews import previews
from storage.engine.database import Queries
from storage.platform import previews as store


@previews.forgets(kept=timedelta(days=1))
def forget_pages(tx: Queries, before: datetime, limit: int) -> int:
    """Delete old pages; a new message with the link fetches the page again."""
    return store.forget_pages(tx, before, limit)


@previews.forgets(kept=timedelta(hours=1))
def forget_counts(tx: Queries, before: datetime, limit: int) -> int:
    """Delete old counts of fetches; each covers one minute."""
    return store.forget_counts(tx, before, limit)
