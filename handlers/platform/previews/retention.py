"""How long pages behind links are kept."""

from datetime import datetime, timedelta

from handlers.platform.previews import previews
from storage.engine.database import Queries
from storage.platform import previews as store


@previews.forgets(kept=timedelta(days=1))
def forget_pages(tx: Queries, before: datetime, limit: int) -> int:
    """Forget pages, which are fetched again when somebody links them."""
    return store.forget_pages(tx, before, limit)


@previews.forgets(kept=timedelta(hours=1))
def forget_counts(tx: Queries, before: datetime, limit: int) -> int:
    """Forget counts of fetches whose minute is long over."""
    return store.forget_counts(tx, before, limit)
